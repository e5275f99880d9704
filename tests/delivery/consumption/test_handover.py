"""A rollout without traffic: asked like any other, carried out by moving the alias alone."""

import pytest
from django.utils import timezone

from audit.actions import Action
from common.errors import Conflict
from delivery.models import Route, RouteTarget
from delivery.services import reconcile, rings, rollouts
from registry import selectors as registry
from registry.models import Alias
from tests.factories import delivery as make
from tests.factories.registry import ModelVersionFactory

pytestmark = pytest.mark.django_db


def test_a_version_without_an_endpoint_is_handed_over_in_one_step(stage, recorded_actions):
    stage.start()
    stage.preflight()
    assert stage.state == "running"
    stage.tick(2)

    assert stage.state == "succeeded"
    assert stage.live == 2
    assert not RouteTarget.objects.exists()
    (step,) = stage.rollout.steps.all()
    assert (step.weight, step.state, step.min_answers) == (100, "passed", 0)
    assert "whoever asks gets it" in step.verdict
    assert stage.authority.concluded == ["succeeded"]
    assert recorded_actions()[-4:] == [
        Action.ROLLOUT_STARTED,
        Action.ROLLOUT_STEP_DONE,
        Action.ALIAS_MOVED,
        Action.ROLLOUT_SUCCEEDED,
    ]
    assert reconcile.reconcile() == 0


def test_the_approval_is_asked_again_before_anybody_is_told(stage):
    stage.start()
    stage.preflight()
    stage.authority.refusal = "It was withdrawn."
    stage.tick()

    assert (stage.state, stage.rollout.reason) == ("failed", "It was withdrawn.")
    assert stage.live == 1


def test_an_approval_that_is_not_sealed_goes_nowhere(stage):
    stage.authority.events = [make.an_approval(stage.workspace)]
    stage.start()
    stage.preflight()

    assert stage.state == "failed"
    assert "not sealed" in stage.rollout.reason
    assert stage.live == 1


def test_a_rollback_gives_readers_the_version_before(stage):
    stage.start()
    stage.preflight()
    stage.tick(2)
    rollouts.rollback(caller=stage.caller, uid=stage.rollout.uid, reason="It is worse.")
    stage.take_claim()
    stage.tick()

    assert stage.state == "rolled_back"
    assert stage.live == 1
    assert registry.get_alias(stage.route.model, "champion").reference.startswith("rollback:")


def test_an_abort_before_the_hand_over_changes_nothing(stage):
    stage.start()
    stage.preflight()
    rollouts.abort(caller=stage.caller, uid=stage.rollout.uid, reason="Not today.")
    stage.tick()

    assert (stage.state, stage.live) == ("failed", 1)


def test_a_pause_holds_it_and_going_on_hands_it_over(stage):
    stage.start()
    stage.preflight()
    rollouts.pause(caller=stage.caller, uid=stage.rollout.uid)
    stage.tick(3)
    assert (stage.state, stage.live) == ("paused", 1)
    rollouts.resume(caller=stage.caller, uid=stage.rollout.uid)
    stage.tick(2)
    assert (stage.state, stage.live) == ("succeeded", 2)


def test_what_is_called_back_is_neither_started_nor_handed_over(stage):
    recall = make.RecallFactory(version=stage.v2)
    with pytest.raises(Conflict, match="called back") as refused:
        stage.start()
    assert refused.value.code == "recalled"
    recall.delete()
    stage.start()
    stage.preflight()
    make.RecallFactory(version=stage.v2)
    stage.tick()

    assert (stage.state, stage.live) == ("failed", 1)


def test_rings_after_the_first_are_held_until_they_are_opened(stage):
    shares = [{"name": "canary", "share": 10}, {"name": "many", "share": 90}]
    rings.set_rings(caller=stage.caller, route=stage.route, rings=shares)
    stage.start()
    stage.preflight()
    stage.tick()
    # Between the two transactions everybody still gets what is live.
    route = Route.objects.get(pk=stage.route.pk)
    assert (route.held_version, stage.live) == (stage.v1, 1)
    stage.tick()

    assert (stage.state, stage.live) == ("succeeded", 2)
    third = ModelVersionFactory(model=stage.route.model)
    with pytest.raises(Conflict, match="every ring") as refused:
        stage.start(third, reference="promotion:3")
    assert refused.value.code == "rings_closed"

    rollouts.rollback(caller=stage.caller, uid=stage.rollout.uid, reason="Back.")
    stage.take_claim()
    stage.tick()
    route.refresh_from_db()
    assert (route.held_version, stage.live) == (None, 1)


def test_a_first_version_is_handed_over_to_every_ring(stage):
    Alias.objects.filter(model=stage.route.model).update(ended_at=timezone.now())
    shares = [{"name": "canary", "share": 10}, {"name": "many", "share": 90}]
    rings.set_rings(caller=stage.caller, route=stage.route, rings=shares)
    stage.start()
    stage.preflight()
    stage.tick(2)

    route = Route.objects.get(pk=stage.route.pk)
    assert (route.held_version, route.open_rings, stage.live) == (None, 2, 2)
