import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from registry.fulltext import find
from registry.fulltext.find import Question
from registry.models import CardRevision, Dataset, ModelVersion, RegisteredModel
from tests.factories.accounts import UserFactory
from tests.factories.registry import (
    AliasFactory,
    DatasetFactory,
    ModelVersionFactory,
    RegisteredModelFactory,
)

pytestmark = pytest.mark.django_db
PAGE, API = "registry:search", "v1:search"


def found(workspace, text="", sort="model", **given):
    question = Question(text, given)
    candidates = find.candidates(workspace, question, sort)
    return [hit.name for hit in find.load(workspace, question, sort, candidates.ranked)]


def card(version, number=1, **sections):
    return CardRevision.objects.create(
        version=version,
        number=number,
        sections=sections,
        digest=f"sha256:{number}",
        edited_by=version.created_by,
    )


@pytest.mark.parametrize(
    "text",
    [
        "credit-risk",
        "risk",
        "cred",
        "loans",
        "loan",
        "scoring",
        "scores",
        "retail",
        "Lovelace",
        '"retail credit"',
        "credit churn or loan",
        "loan -mortgage",
        "which is the credit model's loan",
    ],
)
def test_a_model_is_found_by(text, workspace):
    RegisteredModelFactory(
        workspace=workspace,
        name="credit-risk_v2",
        purpose="Scores loans, retail credit only: this model's.",
        tags={"team": "retail"},
        owner=UserFactory(name="Ada Lovelace"),
    )
    RegisteredModelFactory(workspace=workspace, name="other", purpose="Nothing alike")

    assert found(workspace, text) == ["credit-risk_v2"]


@pytest.mark.parametrize("text", ["edit", "loan -retail", '"credit retail"', "%", "'", "\\", "𓂀"])
def test_a_model_is_not_found_by(text, workspace):
    RegisteredModelFactory(
        workspace=workspace, name="credit-risk", purpose="Scores loans, retail credit only."
    )

    assert found(workspace, text) == []


@pytest.mark.parametrize(
    "text",
    ["2.1.0", "retrained", "abc123", "run-77", "s3://bucket/x", "model.bin", "january", "fraud 3"],
)
def test_a_version_is_found_by(text, workspace):
    model = RegisteredModelFactory(workspace=workspace, name="fraud")
    wanted = ModelVersionFactory(
        model=model,
        number=3,
        semantic_version="2.1.0",
        description="Retrained",
        git_commit="abc123def",
        run_id="run-77",
        source="s3://bucket/x",
        tags={"data": "january"},
    )

    assert found(workspace, text, "version") == [str(wanted)]
    assert found(workspace, wanted.release_digest, "version") == [str(wanted)]
    assert found(workspace, wanted.release_digest[7:19], "version") == [str(wanted)]


def test_an_alias_names_a_version(workspace):
    version = ModelVersionFactory(model__workspace=workspace, model__name="fraud")
    AliasFactory(version=version, name="champion")

    assert found(workspace, "fraud@champion", "version") == ["fraud 1"]
    assert found(workspace, "fraud@nobody", "version") == []
    assert found(workspace, "fraud 99999999999999", "version") == []


def test_a_card_is_found_by_its_newest_revision(workspace):
    version = ModelVersionFactory(model__workspace=workspace)
    card(version, 1, limits="Never seen: volcanoes")
    card(version, 2, limits="Never seen: earthquakes")

    assert found(workspace, "earthquake", "version") == [str(version)]
    assert found(workspace, "volcanoes", "version") == []
    assert found(workspace, "limits", "version") == []


def test_a_dataset_is_found_by_name_description_and_column(workspace):
    DatasetFactory(
        workspace=workspace,
        name="loans-2026",
        description="Of January",
        columns=[{"name": "income_eur", "type": "number", "nulls": 0}],
    )

    for text in ("loans", "january", "income"):
        assert found(workspace, text, "dataset") == ["loans-2026"]
    assert found(workspace, "loans", "dataset", tier="1") == []


def test_a_name_stands_before_a_text(workspace):
    RegisteredModelFactory(workspace=workspace, name="aaa", description="about fraud")
    RegisteredModelFactory(workspace=workspace, name="zzz-fraud")

    assert found(workspace, "fraud") == ["zzz-fraud", "aaa"]


def test_filters_narrow_models_and_versions(workspace):
    model = RegisteredModelFactory(
        workspace=workspace, name="a", tier=1, kind="ranking", tags={"team": "x"}
    )
    live = ModelVersionFactory(model=model, consumption="batch", tags={"v": "1"})
    ModelVersionFactory(model=model)
    AliasFactory(version=live, name="champion")
    RegisteredModelFactory(workspace=workspace, name="b")

    for given in (
        {"tier": "1"},
        {"kind": "ranking"},
        {"owner": model.owner.email},
        {"live": "production"},
        {"tag": "team"},
        {"tag": "team=x"},
        {"consumption": "batch"},
        {"needs": "promotion"},
    ):
        assert found(workspace, **given) == ["a"], given
    assert found(workspace, live="staging") == found(workspace, tag="team=y") == []
    assert found(workspace, sort="version", live="production") == ["a 1"]
    assert found(workspace, sort="version", consumption="batch", tag="v=1") == ["a 1"]
    assert len(found(workspace, sort="version", tier="1")) == 2
    assert found(workspace) == []


def test_nothing_of_another_workspace_or_deleted_is_found(workspace):
    ModelVersionFactory(model__name="fraud", description="fraud")
    DatasetFactory(name="fraud")
    gone = ModelVersionFactory(model__workspace=workspace, model__name="fraud", description="fraud")
    ModelVersion.objects.filter(pk=gone.pk).update(deleted_at=gone.created_at)
    RegisteredModel.objects.filter(pk=gone.model_id).update(deleted_at=gone.created_at)

    for sort in find.SORTS:
        assert found(workspace, "fraud", sort) == []
    assert found(workspace, "fraud 1", "version") == []


def test_what_is_found_follows_what_is_written(workspace):
    version = ModelVersionFactory(model__workspace=workspace, description="first")
    ModelVersion.objects.filter(pk=version.pk).update(description="second")

    assert found(workspace, "second", "version") == [str(version)]
    assert found(workspace, "first", "version") == []


def test_the_triggers_still_hold_what_never_changes(workspace):
    version = ModelVersionFactory(model__workspace=workspace)
    dataset = DatasetFactory(workspace=workspace)
    Dataset.objects.filter(pk=dataset.pk).update(description="may change")
    revision = card(version, limits="x")

    for rows, change in (
        (ModelVersion.objects.filter(pk=version.pk), {"run_id": "another"}),
        (Dataset.objects.filter(pk=dataset.pk), {"rows": 7}),
        (CardRevision.objects.filter(pk=revision.pk), {"sections": {}}),
    ):
        with (
            pytest.raises(DatabaseError, match="does not change"),
            transaction.atomic(),
        ):
            rows.update(**change)


def test_texts_of_any_size_are_stored_and_searched(workspace):
    many = " ".join(f"w{number:x}ü" for number in range(40_000))
    version = ModelVersionFactory(
        model__workspace=workspace,
        model__description=many,
        description=many + "x" * 5000,
        tags={str(number): "v" * 4000 for number in range(100)},
    )

    assert found(workspace, "w1ü", "version") == [str(version)]


def test_common_words_are_bounded_and_say_so(workspace, monkeypatch):
    for _ in range(5):
        ModelVersionFactory(model__workspace=workspace, description="common")
    monkeypatch.setattr(find, "LOOKED_AT", 3)
    monkeypatch.setattr(find, "MOST", 2)

    candidates = find.candidates(workspace, Question("common"), "version")

    assert (len(candidates.ranked), candidates.total, candidates.capped) == (2, 3, True)


def test_the_page_marks_hits_and_makes_no_markup(workspace, client_for):
    RegisteredModelFactory(
        workspace=workspace, name="fraud", purpose="<script>alert(1)</script> stops fraud"
    )

    answer = client_for("viewer").get(reverse(PAGE), {"q": "fraud <b>"})
    body = answer.content.decode()

    assert answer.status_code == 200
    assert (
        "<mark>fraud</mark>"
        in client_for("viewer").get(reverse(PAGE), {"q": "fraud"}).content.decode()
    )
    assert "<script>alert" not in body
    assert "fraud <b>" not in body


def test_the_page_pages_through_one_sort(workspace, client_for, monkeypatch):
    for number in range(30):
        RegisteredModelFactory(workspace=workspace, name=f"fraud-{number:02}")
    viewer = client_for("viewer")

    first = viewer.get(reverse(PAGE), {"q": "fraud"})
    assert "All 30 models" in first.content.decode()
    second = viewer.get(reverse(PAGE), {"q": "fraud", "what": "model", "page": "2"})
    assert len(second.context["sections"][0].hits) == 5
    assert viewer.get(reverse(PAGE), {"tier": "9"}).status_code == 422


def test_the_api_merges_sorts_and_pages(workspace, api):
    for number in range(3):
        ModelVersionFactory(
            model__workspace=workspace, model__name=f"fraud-{number}", description="fraud"
        )
    DatasetFactory(workspace=workspace, name="fraud-data")
    reader = api("viewer")

    seen, where = [], reverse(API) + "?q=fraud&limit=3"
    while where:
        body = reader.get(where).json()
        seen += [(hit["type"], hit["name"], hit["version"]) for hit in body["results"]]
        where = body["next"]

    assert len(seen) == len(set(seen)) == 7
    assert {it["type"]: it["total"] for it in body["totals"]} == {
        "model": 3,
        "version": 3,
        "dataset": 1,
    }
    (hit, *_) = reader.get(reverse(API), {"q": "fraud", "type": "version"}).json()["results"]
    (piece,) = [it for it in hit["excerpts"] if it["field"] == "What changed"]
    assert [piece["text"][start:end] for start, end in piece["marks"]] == ["fraud"]
    for bad in ({"q": "x" * 201}, {"type": "y"}, {"tier": "4"}, {"needs": "z"}, {"cursor": "-1"}):
        assert reader.get(reverse(API), bad).status_code == 400, bad
    assert reader.get(reverse(API), {"nope": "1"}).status_code == 400


def test_page_and_api_ask_as_often_for_twelve_hits_as_for_two(workspace, client_for, api):
    def add(number):
        for _ in range(number):
            version = ModelVersionFactory(model__workspace=workspace, description="fraud")
            AliasFactory(version=version, name="champion")
            card(version, limits="fraud")
            RegisteredModelFactory(workspace=workspace, purpose="fraud")
            DatasetFactory(workspace=workspace, description="fraud")

    def count(client, route):
        with CaptureQueriesContext(connection) as asked:
            assert client.get(reverse(route), {"q": "fraud"}).status_code == 200
        return len(asked)

    viewer, reader = client_for("viewer"), api("viewer")
    add(2)
    count(viewer, PAGE), count(reader, API)
    few = count(viewer, PAGE), count(reader, API)
    add(10)

    assert (count(viewer, PAGE), count(reader, API)) == few
