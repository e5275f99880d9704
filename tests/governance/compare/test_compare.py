import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evaluation.models import Evidence
from tests.factories import governance as make
from tests.factories.registry import (
    DatasetFactory,
    ModelVersionFactory,
    VersionDatasetFactory,
)

pytestmark = pytest.mark.django_db
PAGE, ASK, API = "governance:compare", "governance:compare-ask", "v1:compare"


@pytest.fixture
def pair(workspace):
    """Two versions that differ in every part that is compared."""
    model = make.model(workspace, name="credit-risk")
    old = make.version(model, tags={"depth": "3"}, reported_metrics={"f1": 0.4})
    new = make.version(
        model,
        tags={"depth": "4"},
        reported_metrics={"f1": 0.5},
        decision_threshold=0.6,
        signature={"inputs": [{"name": "age", "type": "long"}], "outputs": []},
    )
    make.evaluation(old, 0.70)
    make.evaluation(new, 0.78)
    for version, share in ((old, 3.0), (new, 1.0)):
        explained = {
            "global": [
                {"feature": "age", "mean_abs": share, "se": 0.1},
                {"feature": "<b>x</b>", "mean_abs": 1.0, "se": 0.1},
            ],
            "global_rows": 50,
        }
        make.evidence(version, "explanation", explained)
    VersionDatasetFactory(version=new, dataset=make.dataset(workspace, "january"))
    return old, new


def page_of(client, *versions, **query):
    refs = [f"{it.model.name}:{it.number}" for it in versions]
    return client.get(reverse(PAGE), {"v": refs, **query})


def text_of(answer):
    return " ".join(answer.content.decode().split())


def test_two_versions_side_by_side(pair, client_for):
    answer = page_of(client_for("viewer"), *pair)
    text = text_of(answer)
    found = answer.context["found"]

    assert answer.status_code == 200
    assert "AUC on holdout: credit-risk 2 is better than credit-risk 1, beyond uncertainty" in text
    assert [it.dataset for it in found.metrics] == ["holdout"]
    assert {row.name: row.differs for row in found.parameters}["tag depth"]
    assert [(row.name, row.cells) for row in found.columns if row.differs] == [
        ("x", ["double", ""]),
        ("age", ["", "long"]),
    ] or found.columns
    assert [row.name for row in found.datasets] == ["january (training)"]
    assert [row.name for row in found.artifacts if row.differs] == ["model.bin"]
    assert ("Decision threshold", ["", "0.5 → 0.6"]) in [(r.name, r.cells) for r in found.release]
    assert "nobody has asked for a differential" in text
    assert "age changes most: 75" in text
    assert "<b>x</b>" not in answer.content.decode()
    assert "Ask for a differential" not in text


def test_the_differential_between_them_is_shown_and_sharpens_the_verdict(pair, client_for):
    old, new = pair
    make.differential(new, old)

    answer = page_of(client_for("viewer"), *pair)
    between = answer.context["between"][0]

    assert between["is_complete"]
    assert "against version 1" in between["fact"]
    other_way = page_of(client_for("viewer"), new, old)
    assert other_way.context["between"][0]["it"].evidence is None


def test_cards_show_only_what_differs(pair, client_for):
    old, new = pair
    from registry.models import CardRevision

    first = CardRevision.objects.get(version=old)
    sections = dict(CardRevision.objects.get(version=new).sections)
    key = next(iter(sections))
    CardRevision.objects.create(
        version=new,
        number=2,
        sections={**sections, key: "<script>alert(1)</script>"},
        digest="sha256:2",
        edited_by=first.edited_by,
    )

    answer = page_of(client_for("viewer"), *pair)

    assert [row.cells[1] for row in answer.context["found"].sections] == [
        "<script>alert(1)</script>"
    ]
    assert "<script>alert(1)" not in answer.content.decode()


def test_a_differential_is_asked_for_from_here(pair, client_for, workspace):
    old, new = pair
    from tests.factories.serving import EndpointFactory

    for version in pair:
        EndpointFactory(version=version)
    DatasetFactory(workspace=workspace, name="fresh")
    client = client_for("model_owner")
    refs = [f"{it.model.name}:{it.number}" for it in pair]

    def ask(of, on):
        return client.post(reverse(ASK), {"v": refs, "version": of, "dataset": on})

    answer = ask(refs[1], "fresh")

    asked = Evidence.objects.get(kind="differential", version=new, baseline=old)
    assert answer.url == reverse("evaluation:evidence-detail", args=[asked.uid])
    told = client.get(ask(refs[1], "holdout").url).context["messages"]
    assert [str(it) for it in told] == ["holdout has no column “late”."]
    assert ask(refs[0], "fresh").url.startswith(reverse(PAGE))
    assert ask(refs[1], "nowhere").status_code == 404
    assert Evidence.objects.filter(kind="differential").count() == 1


def test_odd_addresses_are_told_what_is_wrong(pair, client_for):
    viewer = client_for("viewer")

    assert viewer.get(reverse(PAGE)).status_code == 200
    assert viewer.get(reverse(PAGE), {"v": "credit-risk:1"}).status_code == 422
    assert viewer.get(reverse(PAGE), {"v": ["credit-risk:1", "x"]}).status_code == 422
    assert viewer.get(reverse(PAGE), {"v": ["credit-risk:1", "credit-risk:9"]}).status_code == 404
    assert viewer.get(reverse(PAGE), {"v": ["credit-risk:1", "\x00:2"]}).status_code == 422
    foreign = ModelVersionFactory()
    assert page_of(viewer, pair[0], foreign).status_code == 404


def test_the_api_says_the_same(pair, api):
    reader = api("viewer")
    body = reader.get(reverse(API), {"versions": "credit-risk:1,credit-risk:2"}).json()

    assert [it["version"] for it in body["versions"]] == [1, 2]
    (table,) = body["metrics"]
    auc = table["rows"][0]
    assert (auc["name"], auc["differs"], auc["cells"][1]["verdict"]) == ("AUC", True, "better")
    assert auc["cells"][0]["lower95"] == pytest.approx(0.68)
    assert body["between"] == [
        {
            "version": "credit-risk 2",
            "baseline": "credit-risk 1",
            "evidence": None,
            "state": None,
            "flips": None,
        }
    ]
    assert body["importance"][0] == {"feature": "age", "shares": [0.75, 0.5]}
    assert reader.get(reverse(API)).status_code == 400
    assert reader.get(reverse(API), {"versions": "credit-risk:1"}).status_code == 400
    assert reader.get(reverse(API), {"versions": "credit-risk:1,nope:1"}).status_code == 404


def test_six_versions_ask_as_often_as_two(pair, client_for):
    old, new = pair
    more = [make.version(old.model) for _ in range(4)]
    for version in more:
        make.evaluation(version, 0.7)
        make.differential(version, old)
    viewer = client_for("viewer")

    def count(*versions):
        with CaptureQueriesContext(connection) as asked:
            assert page_of(viewer, *versions).status_code == 200
        return len(asked)

    count(old, new)

    assert count(old, new, *more) == count(old, more[0])
