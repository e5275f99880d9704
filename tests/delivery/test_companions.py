"""A component's traffic is prepared for, turned with, and brought back by its parent's rollout."""

import pytest

from common.errors import InvalidTransition
from delivery.models import RouteTarget
from delivery.services import companions, rollouts
from registry import ports
from registry import selectors as registry
from registry.models import VersionComponent
from serving.errors import EndpointUnavailable
from tests.factories import delivery as make
from tests.factories.registry import ModelVersionFactory
from tests.factories.serving import EndpointFactory

pytestmark = pytest.mark.django_db
#: Answers of the live version beside 60 of the new one, at 25, 50 and 100 %.
STABLE = (180, 60, 0)


class Along:
    """Lets a rollout's references move, and says that the component goes along, or came back."""

    def __init__(self, stage, new, old):
        self.stage, self.new, self.old = stage, new, old

    def why_not_move(self, *, reference, **_):
        return None if reference.startswith(("rollout:", "rollback:")) else "no"

    def goes_along(self, *, reference, **_):
        back = reference.startswith("rollback:")
        return {self.new.model_id: self.old if back else self.new}


@pytest.fixture
def part(stage):
    """The component's route: its version 1 is live, its version 2 is called by what is new."""
    route = make.RouteFactory(
        gateway=stage.route.gateway,
        workspace=stage.workspace,
        environment=stage.route.environment,
        name="part",
    )
    old = ModelVersionFactory(model=route.model)
    make.make_live(route, old)
    new = ModelVersionFactory(model=route.model)
    # What is called is there before whatever calls it: a third version of the stage's model.
    stage.v2 = ModelVersionFactory(model=stage.route.model)
    EndpointFactory(version=stage.v2)
    VersionComponent.objects.create(version=stage.v2, component=new)
    ports.register_alias_guard(Along(stage, new, old))  # the stage's fixture puts the old one back
    route.old, route.new = old, new
    return route


def weights(route):
    return {
        it.version.number: it.weight
        for it in RouteTarget.objects.filter(route=route).select_related("version")
    }


def live(route):
    version = registry.live_version(route.model, route.environment.name)
    return version.number if version else None


def to_the_end(stage):
    stage.start()
    stage.preflight()
    for stable in STABLE:
        stage.step_in()
        stage.look((60,), (stable,))
    stage.tick()


def test_without_an_endpoint_of_the_component_nothing_begins(stage, part):
    stage.start()
    stage.preflight()

    assert stage.state == "failed"
    assert "its route part needs an endpoint of it" in stage.rollout.reason
    assert (weights(part), live(part)) == ({1: 100}, 1)


def test_a_component_that_does_not_answer_stops_it_before_any_traffic(stage, part, monkeypatch):
    EndpointFactory(version=part.new)

    def silent(*, endpoint, **_):
        if endpoint.version_id == part.new.pk:
            raise EndpointUnavailable("it timed out", code="timeout")

    monkeypatch.setattr(companions.endpoints, "probe", silent)
    stage.start()
    stage.preflight()

    assert stage.state == "failed"
    assert "A component is not ready" in stage.rollout.reason
    assert stage.weights == {1: 100}


def test_it_goes_along_at_the_end_and_comes_back_with_a_rollback(stage, part, client_for):
    EndpointFactory(version=part.new)
    stage.start()
    stage.preflight()
    assert stage.state == "running"
    assert weights(part) == {1: 100, 2: 0}  # ready, and nobody is sent there yet
    page = client_for("operator").get(f"/rollouts/{stage.rollout.uid}/").content.decode()
    assert "Goes live together with" in page
    assert companions.shown(stage.rollout) == [part.new]

    for stable in STABLE:
        stage.step_in()
        assert (weights(part), live(part)) == ({1: 100, 2: 0}, 1)
        stage.look((60,), (stable,))
    stage.tick()

    assert (stage.state, stage.live, live(part)) == ("succeeded", 3, 2)
    assert weights(part) == {1: 0, 2: 100}
    assert companions.shown(stage.rollout) == [part.new]

    rollouts.rollback(caller=stage.caller, uid=stage.rollout.uid, reason="Complaints.")
    stage.take_claim()
    stage.tick()
    assert weights(part) == {1: 100, 2: 0}  # traffic first, for both
    assert (stage.live, live(part)) == (3, 2)
    stage.go_back()
    assert (stage.state, stage.live, live(part)) == ("rolled_back", 1, 1)


def test_an_abort_before_the_end_leaves_the_component_alone(stage, part):
    EndpointFactory(version=part.new)
    stage.start()
    stage.preflight()
    stage.step_in()
    rollouts.abort(caller=stage.caller, uid=stage.rollout.uid, reason="A doubt.")
    stage.tick()
    stage.go_back()

    assert (stage.state, stage.live, live(part)) == ("rolled_back", 1, 1)
    assert weights(part) == {1: 100, 2: 0}


def test_a_rollback_waits_for_the_components_own_rollout(stage, part):
    EndpointFactory(version=part.new)
    to_the_end(stage)
    assert stage.state == "succeeded"
    other = make.RolloutFactory(route=part, to_version=part.old, state="paused")

    with pytest.raises(InvalidTransition, match="holds the route part"):
        rollouts.rollback(caller=stage.caller, uid=stage.rollout.uid, reason="Complaints.")

    assert (stage.state, weights(part)) == ("succeeded", {1: 0, 2: 100})
    assert other.state == "paused"
