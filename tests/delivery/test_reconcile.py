"""What no rollout did is noticed; what a lost job left is taken up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.actions import Action
from audit.models import Event
from delivery.models import Gateway
from delivery.services import reconcile, rollouts
from jobs import schedules
from jobs.models import Job
from jobs.signals import job_finished
from registry.models import Alias
from tests.factories.registry import AliasFactory, ModelVersionFactory

pytestmark = pytest.mark.django_db


def drift_events():
    wanted = [Action.ROUTE_DRIFTED, Action.ROUTE_IN_STEP]
    return list(
        Event.objects.filter(action__in=wanted).order_by("pk").values_list("action", flat=True)
    )


def test_a_route_in_step_needs_nobody(stage):
    stage.report()
    assert reconcile.reconcile() == 0
    assert drift_events() == []


def test_an_alias_that_moved_beside_us_is_told_once_and_taken_back_once(stage):
    stage.report()
    Alias.objects.update(ended_at=timezone.now())
    AliasFactory(version=stage.v2)
    assert [reconcile.reconcile() for _ in range(3)] == [1, 1, 1]

    stage.route.refresh_from_db()
    assert stage.route.attention == (
        "The registry has version 2 live, the route leads to version 1: 100 %."
    )
    assert drift_events() == [Action.ROUTE_DRIFTED]
    Alias.objects.filter(ended_at=None).update(ended_at=timezone.now())
    AliasFactory(version=stage.v1)
    assert reconcile.reconcile() == 0
    stage.route.refresh_from_db()
    assert (stage.route.attention, stage.route.attention_since) == ("", None)
    assert drift_events() == [Action.ROUTE_DRIFTED, Action.ROUTE_IN_STEP]


@pytest.mark.parametrize("weight", [0, 60])
def test_weights_that_are_not_the_registrys_are_told(stage, weight):
    stage.route.targets.update(weight=weight)
    assert reconcile.reconcile() == 1


def test_weights_without_anything_live_are_told(stage):
    Alias.objects.update(ended_at=timezone.now())
    assert reconcile.reconcile() == 1
    stage.route.refresh_from_db()
    assert "nothing live" in stage.route.attention


def test_a_gateway_that_fell_behind_is_told_after_a_while(stage):
    stage.report(applied=0)
    assert reconcile.reconcile() == 0  # it may still be on its way
    Gateway.objects.update(revised_at=timezone.now() - timedelta(seconds=61))
    assert reconcile.reconcile() == 1
    stage.report(applied=0, refused=1, reason="no such cluster")
    stage.route.__class__.objects.update(attention="")
    assert reconcile.reconcile() == 1
    stage.route.refresh_from_db()
    assert stage.route.attention == "The gateway refuses its configuration: no such cluster"


def test_a_rollout_explains_what_differs(stage):
    stage.start()
    stage.preflight()
    stage.tick()
    assert stage.weights == {1: 75, 2: 25}
    assert reconcile.reconcile() == 0
    assert drift_events() == []


def test_a_job_that_was_given_up_calls_an_operator(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    Job.objects.update(state="failed", error="It broke.", finished_at=timezone.now())
    job_finished.send(sender=Job, job=Job.objects.get())

    assert stage.state == "needs_operator"
    assert stage.rollout.reason == "Its job was given up: It broke."
    rollouts.abort(caller=stage.caller, uid=stage.rollout.uid, reason="back, please")
    stage.take_claim()
    stage.tick()
    stage.go_back()
    assert (stage.state, stage.weights) == ("rolled_back", {1: 100})


def test_a_wish_that_came_as_the_job_ended_is_carried_out_by_a_new_one(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    rollouts.abort(caller=stage.caller, uid=stage.rollout.uid, reason="stop")
    old = stage.rollout.job_id
    Job.objects.update(state="succeeded", finished_at=timezone.now())
    reconcile.reconcile()

    stage.rollout.refresh_from_db()
    assert stage.rollout.job_id != old
    assert stage.rollout.job.state == "queued"


def test_the_reconciler_runs_each_minute():
    assert schedules._schedules["delivery.reconcile"].every_s == 60


def test_an_alert_ends_a_running_canary_of_its_model_and_environment(stage):
    from types import SimpleNamespace

    from monitoring.signals import threshold_crossed

    stage.start()
    stage.preflight()
    stage.step_in()
    staging = stage.workspace.environments.get(name="staging")

    def alert(model, environment):
        monitor = SimpleNamespace(
            model_id=model.pk, environment_id=environment.pk, name="flights in production"
        )
        return SimpleNamespace(number=7, monitor=monitor)

    def send(one):
        for receiver, _ in threshold_crossed.send_robust(sender=None, alert=one):
            assert receiver  # governance's own receiver has nothing to do with this

    send(alert(stage.route.model, staging))
    send(alert(ModelVersionFactory().model, stage.route.environment))
    stage.tick()
    assert stage.state == "running"
    send(alert(stage.route.model, stage.route.environment))
    stage.tick()
    assert stage.state == "rolling_back"
    assert stage.rollout.reason == "Alert A-7 on flights in production was raised meanwhile."
    assert stage.weights == {1: 100}
