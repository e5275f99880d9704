"""Validated, Monitor and Findings in the inventory, and what its sentence says of them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from governance.models import PromotionRequest
from registry import summary
from tests.factories import governance as make
from tests.factories import registry_find as watch
from tests.factories.registry import AliasFactory, ModelVersionFactory

pytestmark = pytest.mark.django_db
PAGE = "registry:model-list"


@pytest.fixture
def risk(client_for):
    return client_for("risk_officer")


def cells(client, **query):
    """``{model: {column: cell}}`` of the page."""
    context = client.get(reverse(PAGE), query).context
    return {
        row.model.name: dict(zip(context["parts"], row.cells, strict=True))
        for row in context["rows"]
    }


def text_of(answer):
    return " ".join(answer.content.decode().split())


def signed(workspace, signer, approve, name, live=True):
    version = make.version(make.model(workspace, name=name))
    promotion = make.promotion(workspace, of=version)
    approve(signer("validator", name="Vera"), promotion)
    approve(signer("risk_officer", name="Rik"), promotion)
    if live:
        AliasFactory(version=version, name="champion", reference=promotion.reference)
    return promotion


def test_validated_says_when_by_whom_and_until_when(workspace, signer, approve, risk):
    promotion = signed(workspace, signer, approve, "good")
    ModelVersionFactory(model__workspace=workspace, model__name="new")
    AliasFactory(
        version=ModelVersionFactory(model__workspace=workspace, model__name="wild"),
        name="champion",
    )

    found = cells(risk)
    promotion.refresh_from_db()

    good = found["good"]["Validated"]
    assert good.text == f"{datetime.now(UTC):%-d %b %Y}"
    assert good.below == f"Rik; due {promotion.valid_until:%-d %b %Y}"
    assert good.url.endswith(f"/requests/{promotion.number}/")
    assert found["new"]["Validated"].below == "first validation waits"
    assert found["wild"]["Validated"].text == "never signed"
    assert set(cells(risk, needs="validation")) == {"wild"}


def test_an_approval_that_has_ended_is_overdue(workspace, signer, approve, risk, monkeypatch):
    from governance import inventory

    signed(workspace, signer, approve, "late")
    later = datetime.now(UTC) + timedelta(days=400)

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return later

    monkeypatch.setattr(inventory, "datetime", Later)

    assert "overdue" in cells(risk)["late"]["Validated"].below
    assert set(cells(risk, needs="validation")) == {"late"}


def test_findings_are_counted_by_severity(workspace, risk):
    model = make.model(workspace, name="found")
    make.model(workspace, name="clean")
    for severity in ("high", "low", "low"):
        make.finding(workspace, model=model, severity=severity)

    found = cells(risk)

    assert found["found"]["Findings"].text == "1 high, 2 low"
    assert found["found"]["Findings"].tone == "danger"
    assert found["clean"]["Findings"].text == "0"


def test_monitor_says_its_state(workspace, risk):
    live = ModelVersionFactory(model__workspace=workspace, model__name="unwatched")
    AliasFactory(version=live, name="champion")
    ModelVersionFactory(model__workspace=workspace, model__name="idle")
    watched = ModelVersionFactory(model__workspace=workspace, model__name="watched")
    monitor = watch.monitor(watched)
    firing = ModelVersionFactory(model__workspace=workspace, model__name="firing")
    alert = watch.alert(watch.monitor(firing))

    quiet = ModelVersionFactory(model__workspace=workspace, model__name="quiet")
    watch.window(watch.monitor(quiet))
    paused = ModelVersionFactory(model__workspace=workspace, model__name="paused")
    watch.monitor(paused, paused_at=datetime.now(UTC))

    found = {name: row["Monitor"] for name, row in cells(risk).items()}

    assert found["unwatched"].text == "no monitor"
    assert found["idle"] is None
    assert found["watched"].text == "no data yet"
    assert found["watched"].url.endswith(f"/{monitor.uid}/")
    assert found["firing"].text == str(alert)
    assert (found["quiet"].text, found["paused"].text) == ("quiet", "paused")
    assert set(cells(risk, needs="monitor")) == {"unwatched"}
    assert "1 alert is open" in text_of(risk.get(reverse(PAGE)))


def test_the_csv_has_the_columns_of_the_page(workspace, signer, approve, risk):
    signed(workspace, signer, approve, "good")

    answer = risk.get(reverse(PAGE), {"format": "csv", "q": "good"})
    head, line = b"".join(answer.streaming_content).decode().splitlines()

    assert "validated" in head
    assert "Rik; due" in line


def test_it_asks_as_often_for_twelve_models_as_for_two(workspace, risk):
    def add(number):
        for _ in range(number):
            version = ModelVersionFactory(model__workspace=workspace)
            AliasFactory(version=version, name="champion")
            watch.alert(watch.monitor(version))
            make.finding(workspace, model=version.model)

    def count(**query):
        with CaptureQueriesContext(connection) as asked:
            assert risk.get(reverse(PAGE), query).status_code == 200
        return len(asked)

    queries = ({}, {"needs": "validation"}, {"q": "model"}, {"live": "production"})
    add(2)
    count()
    few = [count(**query) for query in queries]
    add(10)

    assert [count(**query) for query in queries] == few


def test_a_big_inventory_is_counted_ahead_and_says_how_old_that_is(workspace, risk, monkeypatch):
    monkeypatch.setattr(summary, "COUNTED_ALWAYS", 1)
    for name in ("a", "b"):
        ModelVersionFactory(model__workspace=workspace, model__name=name)
    make.finding(workspace)
    cache.clear()

    first = text_of(risk.get(reverse(PAGE)))
    ModelVersionFactory(model__workspace=workspace, model__name="c")
    second = text_of(risk.get(reverse(PAGE)))
    assert summary.refresh() == 1
    third = text_of(risk.get(reverse(PAGE)))

    assert "<strong>2 models</strong>" in first
    assert "These figures were counted" in first
    assert "<strong>2 models</strong>" in second
    assert "<strong>3 models</strong>" in third
    assert PromotionRequest.objects.count() == 0
