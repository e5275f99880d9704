"""A rollout's way through its steps, and every way back, with the agent played by the test."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.callers import Caller
from audit.actions import Action
from audit.models import Event
from common.errors import AlreadyExists, Conflict, DomainError, InvalidTransition, NotFound
from delivery.models import Gateway, Rollout, RolloutSample, RolloutStep
from delivery.services import advance, rollouts
from delivery.signals import rollout_finished
from jobs.errors import LeaseLost, NeedsOperator
from registry.models import Alias
from serving.errors import EndpointUnavailable
from tests.factories import delivery as make
from tests.factories.registry import ModelVersionFactory
from tests.factories.serving import EndpointFactory

pytestmark = pytest.mark.django_db


def events(rollout):
    return list(
        Event.objects.filter(object_type="rollout", object_id=str(rollout.uid))
        .order_by("pk")
        .values_list("action", flat=True)
    )


def pass_step(stage, candidate=60, stable=60):
    stage.step_in()
    stage.look((candidate,), (stable,))


# Forward


def test_three_steps_that_are_no_worse_make_the_version_live(
    stage, django_capture_on_commit_callbacks
):
    heard = []
    rollout_finished.connect(lambda **kw: heard.append(kw["outcome"]), weak=False, dispatch_uid="t")
    stage.start()
    stage.preflight()
    assert (stage.state, stage.weights, stage.live) == ("running", {1: 100}, 1)

    for weight, stable in ((25, 180), (50, 60), (100, 0)):
        stage.tick()
        assert stage.weights == ({1: 100 - weight, 2: weight} if weight < 100 else {2: 100})
        stage.report()
        stage.tick()
        assert stage.live == 1
        stage.look((60,), (stable,))
    with django_capture_on_commit_callbacks(execute=True):
        stage.tick()

    assert (stage.state, stage.weights, stage.live) == ("succeeded", {2: 100}, 2)
    assert Alias.objects.get(ended_at=None).reference == f"rollout:{stage.rollout.uid}"
    assert stage.authority.concluded == ["succeeded"]
    assert stage.authority.asked == 3
    assert events(stage.rollout) == [
        Action.ROLLOUT_STARTED,
        *[Action.ROLLOUT_STEP_INTENDED, Action.ROLLOUT_STEP_DONE] * 3,
        Action.ROLLOUT_SUCCEEDED,
    ]
    assert heard == ["succeeded"]
    rollout_finished.disconnect(dispatch_uid="t")


def test_a_first_release_goes_to_all_traffic_at_once(stage):
    Alias.objects.all().update(ended_at=timezone.now())
    stage.route.targets.all().delete()
    stage.start()
    stage.preflight()
    stage.step_in()
    assert stage.weights == {2: 100}
    stage.report()
    stage.tick(2)

    assert (stage.state, stage.live) == ("succeeded", 2)
    assert stage.rollout.steps.count() == 1
    assert "nothing to compare" in stage.rollout.steps.get().verdict


def test_a_step_waits_for_its_answers_and_no_data_never_passes(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    for _ in range(5):
        stage.report()
        stage.tick()

    step = stage.rollout.steps.get(index=0)
    assert (step.state, step.verdict) == ("running", "inconclusive yet: 50 answers to go")
    assert RolloutSample.objects.count() == 1  # nothing new is nothing to keep


def test_too_long_without_enough_answers_pauses_for_a_person(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    stage.look((10,), (30,))
    RolloutStep.objects.filter(index=0).update(clock_from=timezone.now() - timedelta(hours=2))
    stage.tick()

    assert stage.state == "paused"
    assert stage.rollout.reason == "Step 1 took too long: inconclusive yet: 40 answers to go."
    assert stage.weights == {1: 75, 2: 25}
    assert events(stage.rollout)[-1] == Action.ROLLOUT_PAUSED

    rollouts.resume(caller=stage.caller, uid=stage.rollout.uid)
    stage.tick()
    assert stage.state == "running"  # it may take as long again
    stage.look((50,), (150,))
    assert stage.rollout.steps.get(index=0).state == "passed"


def test_a_gateway_that_sends_no_counters_pauses(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    Gateway.objects.update(counters_at=timezone.now() - timedelta(seconds=90))
    stage.tick()

    assert stage.state == "paused"
    assert "no counters for 90 s" in stage.rollout.reason


def test_a_gateway_that_does_not_answer_pauses_the_step(stage):
    stage.start()
    stage.preflight()
    stage.tick()
    RolloutStep.objects.filter(index=0).update(clock_from=timezone.now() - timedelta(seconds=61))
    stage.tick()

    assert stage.state == "paused"
    assert "did not acknowledge" in stage.rollout.reason
    rollouts.resume(caller=stage.caller, uid=stage.rollout.uid)
    stage.tick()
    assert stage.state == "running"


def test_late_answers_of_the_live_version_do_not_hold_the_last_step(stage):
    stage.start(steps=[50, 100])
    stage.preflight()
    pass_step(stage)
    stage.step_in()
    stage.look((55,), (7,))  # seven requests were under way when the weights moved
    assert stage.rollout.steps.get(index=1).state == "running"
    stage.look((5,))
    assert stage.rollout.steps.get(index=1).state == "passed"


def test_a_share_that_does_not_fit_the_weight_never_passes(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    stage.look((400,), (400,))

    step = stage.rollout.steps.get(index=0)
    assert (step.state, step.verdict) == ("running", "measured share 50.0 % does not fit 25 %")


# Back


def test_more_errors_send_the_traffic_back(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    stage.look((40, 30), (120, 1))

    assert stage.state == "rolling_back"
    assert stage.weights == {1: 100}
    assert "more errors: 30 of 40 answers" in stage.rollout.reason
    stage.go_back()
    assert (stage.state, stage.live, stage.weights) == ("rolled_back", 1, {1: 100})
    assert events(stage.rollout)[-3:] == [
        Action.ROLLOUT_STEP_FAILED,
        Action.ROLLOUT_STEP_INTENDED,
        Action.ROLLOUT_ROLLED_BACK,
    ]
    assert stage.authority.concluded == ["rolled_back"]
    assert Alias.objects.count() == 1  # the alias never moved


def test_slower_than_the_limit_and_than_live_sends_it_back(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    stage.look((40, 0, 30), (120, 0, 1))

    assert stage.state == "rolling_back"
    assert "slower: 30 of 40 answers took over 250 ms" in stage.rollout.reason


def test_slow_like_the_live_version_is_no_reproach(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    stage.look((60, 0, 30), (180, 0, 90))

    assert stage.rollout.steps.get(index=0).state == "passed"


def test_errors_at_all_traffic_are_judged_by_what_the_live_version_had_shown(stage):
    stage.start(steps=[50, 100])
    stage.preflight()
    stage.step_in()
    stage.look((100,), (100,))
    stage.step_in()
    stage.look((40, 20))

    assert stage.state == "rolling_back"
    assert "the live version's rate before" in stage.rollout.reason


def test_the_way_back_ends_only_when_no_answer_comes_any_more(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    stage.look((40, 30), (120,))
    stage.report(applied=1)
    stage.tick()
    assert stage.state == "rolling_back"  # the gateway has not got it yet
    stage.report()
    stage.tick()
    stage.look((3,))  # sticky traffic
    assert stage.state == "rolling_back"
    stage.tick(3)
    assert stage.state == "rolling_back"  # the same report again is no news
    stage.report()
    stage.tick()
    assert stage.state == "rolled_back"


@pytest.mark.parametrize("says", ["silent", "refuses", "goes on"])
def test_a_way_back_that_fails_needs_an_operator_and_can_be_asked_for_again(stage, says):
    stage.start()
    stage.preflight()
    stage.step_in()
    stage.look((40, 30), (120,))
    revision = stage.rollout.workings["back"]["revision"]
    old = (timezone.now() - timedelta(seconds=61)).isoformat()
    if says == "refuses":
        stage.report(applied=revision - 1, refused=revision, reason="no such cluster")
    else:
        back = {**stage.rollout.workings["back"], "since": old}
        Rollout.objects.update(workings={**stage.rollout.workings, "back": back})
    if says == "goes on":
        stage.serve(stage.v2, 5)
        stage.report()
    stage.tick()

    assert stage.state == "needs_operator"
    assert events(stage.rollout)[-1] == Action.ROLLOUT_NEEDS_OPERATOR
    assert stage.weights == {1: 100}
    with pytest.raises(AlreadyExists):
        stage.start()  # it keeps the route

    rollouts.rollback(caller=stage.caller, uid=stage.rollout.uid, reason="again")
    stage.take_claim()
    stage.tick()
    assert stage.rollout.workings["back"]["revision"] > revision
    stage.go_back()
    assert stage.state == "rolled_back"


def test_a_gateway_that_refuses_the_weights_ends_it(stage):
    stage.start()
    stage.preflight()
    stage.tick()
    revision = Gateway.objects.get().revision
    stage.report(applied=revision - 1, refused=revision, reason="bad cluster")
    stage.tick()

    assert stage.state == "rolling_back"
    assert stage.rollout.reason == "The gateway refused the weights: bad cluster"
    stage.go_back()
    assert (stage.state, stage.live) == ("rolled_back", 1)
    assert Action.GATEWAY_CONFIG_REFUSED in Event.objects.values_list("action", flat=True)


def test_an_approval_that_ends_between_two_steps_sends_it_back(stage):
    stage.start()
    stage.preflight()
    pass_step(stage, 60, 180)
    stage.authority.refusal = "REQ-1 is withdrawn."
    stage.tick()

    assert (stage.state, stage.weights) == ("rolling_back", {1: 100})
    assert stage.rollout.reason == "REQ-1 is withdrawn."
    stage.go_back()
    assert (stage.state, stage.live) == ("rolled_back", 1)


def test_an_alias_that_may_not_move_at_the_end_sends_it_back(stage):
    stage.start(steps=[50, 100])
    stage.preflight()
    pass_step(stage)
    pass_step(stage, 60, 0)
    stage.guard.refusal = "The approval has ended."
    stage.tick()
    assert stage.state == "rolling_back"
    stage.guard.refusal = None
    stage.tick()
    stage.go_back()

    assert (stage.state, stage.live, stage.weights) == ("rolled_back", 1, {1: 100})
    assert Action.ROLLOUT_SUCCEEDED not in events(stage.rollout)


# Before anything moved


def nothing_moved(stage):
    assert stage.state == "failed"
    assert (stage.weights, stage.live) == ({1: 100}, 1)
    assert Gateway.objects.get().revision == 1
    assert stage.authority.concluded == ["failed"]
    assert events(stage.rollout)[-1] == Action.ROLLOUT_ROLLED_BACK
    assert Action.ROLLOUT_STEP_INTENDED not in events(stage.rollout)


def test_an_approval_that_is_not_sealed_moves_nothing(stage):
    stage.authority.events = [make.an_approval(stage.workspace)]
    stage.start()
    stage.preflight()

    nothing_moved(stage)
    assert "not sealed" in stage.rollout.reason


def test_an_approval_without_events_moves_nothing(stage):
    stage.authority.events = []
    stage.start()
    stage.preflight()
    nothing_moved(stage)


def test_a_version_without_endpoint_moves_nothing(stage):
    bare = ModelVersionFactory(model=stage.route.model)
    stage.start(bare)
    stage.preflight()
    nothing_moved(stage)
    assert stage.rollout.reason == "The version has no endpoint."


def test_an_endpoint_that_does_not_answer_moves_nothing(stage, monkeypatch):
    def refuse(**_):
        raise EndpointUnavailable("It timed out.", code="timeout")

    monkeypatch.setattr(advance.endpoints, "probe", refuse)
    stage.start()
    stage.preflight()
    nothing_moved(stage)
    assert "It timed out." in stage.rollout.reason


def test_an_address_that_may_not_be_dialled_moves_nothing(stage, settings):
    settings.OUTBOUND_ALLOW = ""
    stage.start()
    stage.preflight()
    nothing_moved(stage)
    assert stage.route.targets.count() == 1


def test_an_endpoint_under_another_path_moves_nothing(stage):
    EndpointFactory(version=stage.v2, url="http://127.0.0.1:9/other/invocations")
    stage.start()
    stage.preflight()
    nothing_moved(stage)
    assert "one path" in stage.rollout.reason


def test_a_gateway_that_serves_something_else_moves_nothing(stage):
    stage.start()
    stage.route.targets.update(weight=0)
    stage.preflight()
    assert stage.state == "failed"
    assert "disagree" in stage.rollout.reason


def test_an_approval_refused_before_the_first_step_moves_nothing(stage):
    stage.authority.refusal = "It was withdrawn."
    stage.start()
    stage.preflight()
    stage.tick()
    nothing_moved(stage)


@pytest.mark.parametrize("when", ["queued", "running", "paused"])
def test_an_abort_before_the_first_step_moves_nothing(stage, when):
    stage.start()
    if when != "queued":
        stage.preflight()
    if when == "paused":
        rollouts.pause(caller=stage.caller, uid=stage.rollout.uid)
        stage.tick()
        assert stage.state == "paused"
    rollouts.abort(caller=stage.caller, uid=stage.rollout.uid, reason="wrong day")
    if when == "queued":
        stage.preflight()
    stage.tick()
    nothing_moved(stage)
    assert stage.rollout.reason == "wrong day"


# Steering


def test_abort_in_a_step_sends_the_traffic_back(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    rollouts.abort(caller=stage.caller, uid=stage.rollout.uid, reason="customers complain")
    stage.tick()
    assert stage.weights == {1: 100}
    stage.go_back()
    assert stage.state == "rolled_back"
    assert stage.rollout.reason == "customers complain"
    with pytest.raises(InvalidTransition):
        rollouts.abort(caller=stage.caller, uid=stage.rollout.uid, reason="again")


def test_pause_holds_the_weights_and_resume_asks_the_approval_again(stage):
    stage.start()
    stage.preflight()
    pass_step(stage, 60, 180)
    rollouts.pause(caller=stage.caller, uid=stage.rollout.uid)
    stage.tick(3)
    assert (stage.state, stage.weights) == ("paused", {1: 75, 2: 25})
    with pytest.raises(InvalidTransition):
        rollouts.pause(caller=stage.caller, uid=stage.rollout.uid)

    rollouts.resume(caller=stage.caller, uid=stage.rollout.uid)
    asked = stage.authority.asked
    stage.tick()
    assert (stage.state, stage.weights) == ("running", {1: 50, 2: 50})
    assert stage.authority.asked == asked + 1
    with pytest.raises(InvalidTransition):
        rollouts.resume(caller=stage.caller, uid=stage.rollout.uid)


def test_a_paused_canary_is_still_watched(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    rollouts.pause(caller=stage.caller, uid=stage.rollout.uid)
    stage.tick()
    stage.look((60,), (180,))
    assert stage.state == "paused"  # good figures do not end a pause
    assert stage.rollout.steps.get(index=0).state == "running"
    stage.look((40, 35), (120,))
    assert (stage.state, stage.weights) == ("rolling_back", {1: 100})


def test_rollback_after_success_returns_to_the_version_before(stage):
    stage.start(steps=[50, 100])
    stage.preflight()
    pass_step(stage)
    pass_step(stage, 60, 0)
    stage.tick()
    assert stage.live == 2

    rollouts.rollback(caller=stage.caller, uid=stage.rollout.uid, reason="wrong after all")
    stage.take_claim()
    stage.tick()
    assert (stage.weights, stage.live) == ({1: 100}, 2)
    stage.go_back()

    assert (stage.state, stage.live, stage.weights) == ("rolled_back", 1, {1: 100})
    assert Alias.objects.get(ended_at=None).reference == f"rollback:{stage.rollout.uid}"
    assert stage.authority.concluded == ["succeeded", "rolled_back"]
    with pytest.raises(InvalidTransition):
        rollouts.rollback(caller=stage.caller, uid=stage.rollout.uid, reason="again")


def test_a_registry_that_refuses_the_way_back_needs_an_operator(stage):
    stage.start(steps=[100])
    stage.preflight()
    pass_step(stage, 60, 0)
    stage.tick()
    rollouts.rollback(caller=stage.caller, uid=stage.rollout.uid, reason="wrong")
    stage.take_claim()
    stage.tick()
    stage.guard.refusal = "no"
    stage.go_back()
    assert (stage.state, stage.live, stage.weights) == ("needs_operator", 2, {1: 100})


def test_a_first_release_has_nothing_to_go_back_to(stage):
    Alias.objects.all().update(ended_at=timezone.now())
    stage.route.targets.all().delete()
    stage.start()
    stage.preflight()
    stage.step_in()
    stage.report()
    stage.tick(2)
    with pytest.raises(InvalidTransition, match="Nothing was live"):
        rollouts.rollback(caller=stage.caller, uid=stage.rollout.uid, reason="x")


def test_only_an_operator_steers(stage, caller_for):
    stage.start()
    viewer = caller_for("viewer", "validator", "risk_officer")
    for act in (rollouts.abort, rollouts.rollback):
        with pytest.raises(DomainError, match="operator"):
            act(caller=viewer, uid=stage.rollout.uid, reason="x")
    for act in (rollouts.pause, rollouts.resume):
        with pytest.raises(DomainError, match="operator"):
            act(caller=viewer, uid=stage.rollout.uid)
    assert events(stage.rollout) == [Action.ROLLOUT_STARTED]


def test_another_workspace_cannot_steer(stage):
    from tests.factories.accounts import WorkspaceFactory

    stage.start()
    stranger = Caller.system("tests", WorkspaceFactory())
    with pytest.raises(NotFound):
        rollouts.pause(caller=stranger, uid=stage.rollout.uid)


# Starting


def test_a_second_rollout_of_the_route_is_refused_and_changes_nothing(stage):
    first = stage.start()
    third = ModelVersionFactory(model=stage.route.model)
    with pytest.raises(AlreadyExists) as refusal:
        stage.start(third, reference="promotion:2")
    assert refusal.value.code == "route_busy"
    assert Rollout.objects.get() == first


def test_the_database_too_allows_one_unfinished_rollout_a_route(stage):
    first = stage.start()
    with pytest.raises(IntegrityError, match="one_unfinished"), transaction.atomic():
        make.RolloutFactory(route=first.route)


def test_an_approval_is_good_for_one_rollout(stage):
    stage.start(steps=[100])
    stage.preflight()
    pass_step(stage, 60, 0)
    stage.tick()
    third = ModelVersionFactory(model=stage.route.model)
    with pytest.raises(AlreadyExists) as refusal:
        stage.start(third)
    assert refusal.value.code == "approval_used"
    with pytest.raises(IntegrityError, match="one_use"), transaction.atomic():
        make.RolloutFactory(reference="promotion:1")


def test_an_approval_whose_rollout_never_moved_anything_may_be_used_again(stage):
    stage.authority.refusal = "not yet"
    stage.start()
    stage.preflight()
    stage.tick()
    assert stage.state == "failed"
    stage.authority.refusal = None
    stage.start()
    stage.preflight()
    assert stage.state == "running"


def test_what_is_live_already_is_not_rolled_out(stage):
    with pytest.raises(Conflict):
        stage.start(stage.v1)
    assert not Rollout.objects.exists()


def test_a_model_without_a_route_is_not_rolled_out(stage):
    from delivery.plan import parse
    from registry.models import Environment

    with pytest.raises(NotFound) as refusal:
        rollouts.start(
            caller=stage.caller,
            reference="promotion:1",
            model=stage.route.model,
            environment=Environment.objects.get(workspace=stage.workspace, name="staging"),
            to_version=stage.v2,
            plan=parse(make.PLAN),
        )
    assert refusal.value.code == "no_route"


# Faults


def test_a_worker_that_lost_its_claim_writes_nothing(stage):
    stage.start()
    stage.preflight()
    zombie = stage.claim
    stage.take_claim()
    before = Event.objects.count()
    with pytest.raises(LeaseLost):
        advance.tick(stage.rollout.pk, zombie, stage.caller)

    assert stage.weights == {1: 100}
    assert Event.objects.count() == before


def test_a_zombie_cannot_preflight(stage):
    stage.start()
    zombie = stage.claim
    stage.take_claim()
    with pytest.raises(LeaseLost):
        advance.preflight(stage.rollout, zombie, stage.caller)
    assert stage.state == "queued"


def test_the_job_says_what_its_rollout_says(stage):
    from jobs.services.run import run

    stage.start()
    stage.preflight()
    stage.step_in()
    stage.look((40, 30), (120,))
    revision = stage.rollout.workings["back"]["revision"]
    stage.report(applied=revision - 1, refused=revision, reason="x")
    with pytest.raises(NeedsOperator):
        advance.advance(stage.claim.job, stage.claim)
    stage.take_claim()
    job = run(stage.claim)
    assert (job.state, job.error_code) == ("needs_operator", rollouts.NEEDS_OPERATOR)


def test_a_rollout_job_is_not_ended_by_cancelling_it(stage):
    from jobs.errors import NotCancellable
    from jobs.services.cancel import cancel

    rollout = stage.start()
    with pytest.raises(NotCancellable):
        cancel(caller=stage.caller, uid=rollout.job.uid)
