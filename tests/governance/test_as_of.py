import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from governance import as_of
from registry.models import Alias
from tests.factories import governance as make
from tests.factories.registry import AliasFactory, ModelVersionFactory

pytestmark = pytest.mark.django_db
PAGE, API = "governance:as-of", "v1:as-of"


@pytest.fixture
def approved(workspace, signer, approve):
    """A request that two people have signed, and the alias where its rollout left it."""

    def made(**fields):
        version = make.version(make.model(workspace, **fields))
        promotion = make.promotion(workspace, of=version)
        approve(signer("validator", name="Vera"), promotion)
        approve(signer("risk_officer", name="Rik"), promotion)
        promotion.refresh_from_db()
        alias = AliasFactory(version=version, name="champion", reference=promotion.reference)
        return promotion, alias

    return made


def text_of(answer):
    return " ".join(answer.content.decode().split())


def test_what_is_live_is_told_with_who_signed_on_which_evidence(workspace, approved):
    promotion, alias = approved(name="flight-delay")

    (row,) = as_of.explain(list(as_of.live_at(workspace, datetime.now(UTC))))

    assert promotion.status == "approved"
    assert (row.model.name, row.environment, row.version) == (
        "flight-delay",
        "production",
        alias.version,
    )
    assert (row.how, row.request, row.since) == ("approved", promotion, alias.started_at)
    assert [(by.name, by.role) for by in row.signed_by] == [
        ("Vera", "Validator"),
        ("Rik", "Risk officer"),
    ]
    assert row.evidence == [it.digest for it in promotion.version.evidence.all()]
    assert row.evidence


def test_a_rollout_and_a_rollback_lead_to_the_approval_behind_them(workspace, approved):
    from tests.factories.delivery import RolloutFactory, RouteFactory

    promotion, alias = approved()
    route = RouteFactory(workspace=workspace, model=alias.model)
    rollout = RolloutFactory(
        workspace=workspace,
        route=route,
        to_version=alias.version,
        reference=promotion.reference,
        state="succeeded",
    )
    Alias.objects.filter(pk=alias.pk).update(ended_at=datetime.now(UTC))
    by_rollout = AliasFactory(
        version=alias.version, name="champion", reference=f"rollout:{rollout.uid}"
    )
    (row,) = as_of.of_model(alias.model, datetime.now(UTC))
    assert (row.how, row.request) == ("approved", promotion)

    Alias.objects.filter(pk=by_rollout.pk).update(ended_at=datetime.now(UTC))
    AliasFactory(version=alias.version, name="champion", reference=f"rollback:{rollout.uid}")
    (row,) = as_of.of_model(alias.model, datetime.now(UTC))
    assert (row.how, row.request) == ("rolled back", promotion)


def test_what_has_no_approval_says_so(workspace, client_for):
    AliasFactory(version=ModelVersionFactory(model__workspace=workspace), name="champion")
    AliasFactory(
        version=ModelVersionFactory(model__workspace=workspace),
        name="champion",
        reference="rollout:01890000-0000-7000-8000-000000000000",
    )

    rows = as_of.explain(list(as_of.live_at(workspace, datetime.now(UTC))))
    text = text_of(client_for("auditor").get(reverse(PAGE)))

    assert {row.how for row in rows} == {"no approval"}
    assert "<strong>2 models</strong> are live in 2 places" in text
    assert "<strong>1</strong> of them names no approval" in text
    assert text.count("None on record") == 2


def test_the_page_shows_the_day_and_nothing_of_later(workspace, client_for):
    now = datetime.now(UTC)
    version = ModelVersionFactory(model__workspace=workspace, model__name="old")
    AliasFactory(
        version=version,
        name="champion",
        started_at=now - timedelta(days=10),
        ended_at=now - timedelta(days=5),
    )
    auditor = client_for("auditor")

    def page(days, **query):
        day = (now - timedelta(days=days)).date().isoformat()
        return auditor.get(reverse(PAGE), {"on": day, **query})

    assert "<strong>1 model</strong> was live in 1 place" in text_of(page(7))
    assert "Nothing was live at the end of" in text_of(page(2))
    assert "Nothing was live at the end of" in text_of(page(20))
    assert page(7, environment="staging").context["rows"] == []
    assert page(7, model="nope").context["rows"] == []
    assert auditor.get(reverse(PAGE), {"on": "yesterday"}).status_code == 422
    assert auditor.get(reverse(PAGE), {"environment": "nowhere"}).status_code == 422


def test_a_model_that_was_deleted_since_was_live_then(workspace, client_for):
    now = datetime.now(UTC)
    version = ModelVersionFactory(model__workspace=workspace, model__name="gone")
    AliasFactory(version=version, name="champion", started_at=now - timedelta(days=10))
    type(version.model).objects.update(deleted_at=now)

    answer = client_for("auditor").get(reverse(PAGE), {"on": (now - timedelta(days=3)).date()})

    assert [row.model.name for row in answer.context["rows"]] == ["gone"]


def test_the_csv_holds_every_row_and_no_formula(workspace, client_for, approved):
    promotion, alias = approved(name="=1+1")

    answer = client_for("auditor").get(reverse(PAGE), {"format": "csv"})
    (line,) = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()))

    assert line["model"] == "'=1+1"
    assert line["request"] == str(promotion)
    assert line["request digest"] == promotion.digest
    assert line["release digest"] == alias.version.release_digest
    assert line["signed by"].startswith("Vera, Validator, ")
    assert line["evidence digests"].startswith("sha256:")


def test_the_api_pages_through_one_moment(workspace, api):
    for name in ("a", "b", "b:2", "c"):
        version = ModelVersionFactory(model__workspace=workspace, model__name=name)
        AliasFactory(version=version, name="champion")
        AliasFactory(version=version, name="staging")
    reader = api("auditor")

    seen, where = [], reverse(API) + "?limit=3"
    while where:
        body = reader.get(where).json()
        assert (body["models"], body["places"], body["without_approval"]) == (4, 8, 8)
        seen += [(row["model"], row["environment"]) for row in body["results"]]
        where = body["next"]

    assert seen == [(m, e) for m in ("a", "b", "b:2", "c") for e in ("staging", "production")]
    assert reader.get(reverse(API), {"cursor": "x"}).status_code == 400
    assert reader.get(reverse(API), {"cursor": f"1:{10**30}:x"}).status_code == 400
    assert reader.get(reverse(API), {"at": "then"}).status_code == 400


def test_a_models_as_of_keeps_its_shape_and_says_who_signed(workspace, api, approved):
    promotion, alias = approved(name="flight-delay")
    AliasFactory(version=alias.version, name="challenger")

    body = api("auditor").get(reverse("v1:model-as-of", args=["flight-delay"])).json()

    assert set(body) == {"model", "at", "aliases"}
    challenger, champion = body["aliases"]
    assert {"alias", "version", "digest", "since", "until"} <= set(champion)
    assert (champion["request"], champion["request_digest"]) == (promotion.number, promotion.digest)
    assert [by["name"] for by in champion["signed_by"]] == ["Vera", "Rik"]
    assert (challenger["environment"], challenger["request"], challenger["how"]) == (
        "",
        None,
        "no approval",
    )


def test_it_asks_as_often_for_twelve_places_as_for_two(workspace, client_for, approved):
    approved()

    def add(number):
        for _ in range(number):
            AliasFactory(
                version=ModelVersionFactory(model__workspace=workspace),
                name="champion",
                reference="promotion:01890000-0000-7000-8000-000000000000",
            )

    def count():
        with CaptureQueriesContext(connection) as asked:
            assert auditor.get(reverse(PAGE)).status_code == 200
        return len(asked)

    auditor = client_for("auditor")
    add(1)
    count()
    few = count()
    add(10)

    assert count() == few
