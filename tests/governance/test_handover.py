"""What is read instead of called: signed, sealed, handed over, with no gateway anywhere."""

from __future__ import annotations

import pytest

from audit.services.seal import seal_once
from delivery.current import current
from delivery.models import Rollout, Route
from governance import rollout
from governance.models import Finding
from jobs.services.run import run_until_idle
from registry import selectors as registry
from tests.factories import governance as make
from tests.factories.delivery import RouteFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def promoted(workspace, settings, signer, approve):
    """``promoted(version)``: asked for, signed by two, sealed, and the worker has been there."""
    settings.ROLLOUT_TICK_SECONDS = 0.0

    def act(version):
        promotion = make.promotion(workspace, of=version)
        approve(signer("validator"), promotion)
        promotion = approve(signer("risk_officer"), promotion)
        seal_once()
        run_until_idle(max_s=30)
        promotion.refresh_from_db()
        return promotion

    return act


@pytest.mark.parametrize("consumption", ["batch", "table", "stream", "device", "one_off", "vendor"])
def test_an_approved_version_that_nobody_calls_is_handed_over(workspace, promoted, consumption):
    model = make.model(workspace, name="Churn, monthly")
    version = make.version(model, consumption=consumption)
    promotion = promoted(version)

    assert promotion.status == "carried_out"
    route = Route.objects.get()
    assert (route.name, route.is_read, route.model) == ("churn-monthly", True, model)
    assert registry.live_version(model, "production") == version
    body = current(route).body
    assert (body["version"], body["release_digest"]) == (1, promotion.release_digest)
    assert body["approval"]["request"] == str(promotion)
    assert body["approval"]["url"].endswith(f"/w/acme/requests/{promotion.number}/")
    assert not Finding.objects.exists()


def test_the_next_version_takes_the_same_name_and_the_first_has_its_own_approval(
    workspace, promoted
):
    model = make.model(workspace)
    first, second = (make.version(model, consumption="batch") for _ in range(2))
    promoted(first)
    make.differential(second, first)
    done = promoted(second)

    assert (done.status, Route.objects.count()) == ("carried_out", 1)
    assert registry.live_version(model, "production") == second


def test_names_are_free_ones_and_say_the_environment_before_the_last(workspace):
    from delivery.services.routes import ensure

    model, other = make.model(workspace, name="Ärger!"), make.model(workspace, name="arger")
    strange = make.model(workspace, name="數")
    last, first = (registry.get_environment(workspace, it) for it in ("production", "staging"))

    assert ensure(model=model, environment=last).name == "arger"
    assert ensure(model=model, environment=last).name == "arger"
    assert ensure(model=other, environment=last).name == "arger-2"
    assert ensure(model=model, environment=first).name == "arger-staging"
    assert ensure(model=strange, environment=last).name == f"model-{strange.pk}"


def test_a_gateways_route_goes_by_traffic_whatever_the_version_says(workspace, promoted):
    model = make.model(workspace)
    version = make.version(model, consumption="batch")
    environment = registry.get_environment(workspace, "production")
    RouteFactory(
        gateway__workspace=workspace, workspace=workspace, model=model, environment=environment
    )
    promotion = promoted(version)

    assert promotion.status == "approved"
    assert not Rollout.objects.exists()
    assert "no rollout plan" in rollout.why_not_started(promotion)


def test_an_online_version_without_a_route_still_waits_for_one(workspace, promoted):
    promotion = promoted(make.version(make.model(workspace)))

    assert (promotion.status, Route.objects.count()) == ("approved", 0)
