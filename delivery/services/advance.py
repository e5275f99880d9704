"""The engine of a rollout: from what the rows say, take the next small step, and no other.

Every tick is one transaction that first proves that its claim still holds (fence), then reads,
decides and writes. What must happen outside (new weights) is an intent in those rows: the gateway
agent fetches it, and what it acknowledges is read back before anything else. So a worker that is
killed at any moment leaves rows from which the next one goes on.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.actions import Action
from audit.errors import NotSealed
from audit.services.seal import wait_sealed
from common.errors import DomainError
from delivery import plan as plans
from delivery.models import Gateway, Rollout, RolloutStep, RouteTarget
from delivery.ports import authority
from delivery.services import closing, companions, handover, measure, rollouts, routes
from delivery.services.steps import record_step
from jobs.errors import NeedsOperator
from jobs.registry import Continue, Done
from serving import selectors as serving
from serving.services import endpoints

if TYPE_CHECKING:
    from accounts.callers import Caller
    from audit.models import Checkpoint
    from jobs.models import Job
    from jobs.registry import Claim

State = Rollout.State
Step = RolloutStep.State
SPARE_S = 15.0
PAUSED_POLL_S = 2.0


def advance(job: Job, claim: Claim) -> Done | Continue:
    """Tick until the rollout rests, pauses, or the claim's budget is spent.

    Raises: NeedsOperator, so that the job says the same as its rollout.
    """
    uid = job.payload["rollout"]
    while True:
        rollout = Rollout.objects.select_related("workspace", "route").get(uid=uid)
        caller = claim.caller("delivery")
        if rollout.state == State.QUEUED and not rollout.abort_requested:
            preflight(rollout, claim, caller)
        else:
            tick(rollout.pk, claim, caller)
        rollout.refresh_from_db()
        if rollout.state == State.NEEDS_OPERATOR:
            raise NeedsOperator(rollout.reason, rollouts.NEEDS_OPERATOR)
        if rollout.is_finished:
            return Done({"state": rollout.state}, message=rollout.reason[:500] or "Done.")
        done, sentence = progress(rollout)
        claim.save(progress=done, message=sentence)
        if rollout.state == State.PAUSED:
            return Continue({}, after_s=PAUSED_POLL_S, message=sentence, progress=done)
        if claim.remaining_s() < SPARE_S:
            return Continue({}, after_s=0.0, message=sentence, progress=done)
        time.sleep(settings.ROLLOUT_TICK_SECONDS)


def progress(rollout: Rollout) -> tuple[float, str]:
    """How far, 0 to 1, and a sentence for the bar."""
    steps = list(rollout.steps.all())
    done = 0.0
    sentence = "Checking approval and seal."
    if not rollout.route.is_read:
        sentence = "Checking approval, seal and endpoint."
    for step in steps:
        if step.state == Step.PASSED:
            done += 1
        elif step.state in {Step.SETTING, Step.RUNNING}:
            answers = (step.measured.get("candidate") or measure.EMPTY)["answers"]
            done += min(1.0, answers / step.min_answers) if step.min_answers else 0.5
            now = step.verdict or "setting weights"
            sentence = f"Step {step.index + 1} of {len(steps)}: {step.weight} %, {now}."
            break
    if rollout.state == State.ROLLING_BACK:
        sentence = "Sending all traffic back."
    elif rollout.state == State.PAUSED:
        sentence = f"Paused: {rollout.reason}" if rollout.reason else "Paused."
    return min(1.0, done / max(1, len(steps))), sentence[:500]


def preflight(rollout: Rollout, claim: Claim, caller: Caller) -> None:
    """Nothing has moved yet: approval valid and sealed, endpoint answers, registry = gateway."""
    try:
        checkpoint = _sealed(authority().approval_events(rollout.reference), claim)
    except NotSealed as error:
        return _fail_early(rollout, claim, caller, f"The approval is not sealed: {error}")
    try:
        companions.prepare(rollout, claim, caller)
    except DomainError as error:
        return _fail_early(rollout, claim, caller, f"A component is not ready: {error.message}")
    if rollout.route.is_read:
        return handover.begin(rollout, checkpoint, claim)
    endpoint = serving.endpoint_for(rollout.to_version)
    if endpoint is None:
        return _fail_early(rollout, claim, caller, "The version has no endpoint.")
    try:
        endpoints.probe(caller=caller, endpoint=endpoint)
        with transaction.atomic():
            claim.insist_mine()
            candidate = routes.place_target(
                route=rollout.route, endpoint=endpoint, version=rollout.to_version
            )
    except DomainError as error:
        return _fail_early(rollout, claim, caller, f"The endpoint is not ready: {error.message}")
    with transaction.atomic():
        claim.insist_mine()
        locked = _lock(rollout.pk)
        if locked.state != State.QUEUED or locked.abort_requested:
            return None
        live = list(RouteTarget.objects.filter(route=locked.route, weight__gt=0))
        expected = [(locked.from_version_id, 100)] if locked.from_version_id else []
        if [(target.version_id, target.weight) for target in live] != expected:
            reason = "Gateway and registry disagree about what is live here."
            closing.close(locked, State.FAILED, caller=caller, reason=reason)
            return None
        locked.state = State.RUNNING
        locked.checkpoint_size = checkpoint.tree_size
        locked.workings = {
            "candidate": candidate.pk,
            "stable": live[0].pk if live else None,
        }
        locked.save(update_fields=["state", "checkpoint_size", "workings"])
    return None


def _sealed(events: list[int], claim: Claim) -> Checkpoint:
    """The checkpoint that holds the approval, waiting in short turns that keep the lease."""
    if not events:
        raise NotSealed("no event of the trail stands for it.")
    deadline = time.monotonic() + settings.ROLLOUT_SEAL_TIMEOUT_SECONDS
    while True:
        try:
            return wait_sealed(events, timeout_s=min(1.0, settings.JOB_LEASE_SECONDS / 4))
        except NotSealed:
            if time.monotonic() >= deadline:
                raise
            claim.save()


def _fail_early(rollout: Rollout, claim: Claim, caller: Caller, reason: str) -> None:
    with transaction.atomic():
        claim.insist_mine()
        locked = _lock(rollout.pk)
        if locked.state == State.QUEUED:
            closing.close(locked, State.FAILED, caller=caller, reason=reason)


def tick(rollout_id: int, claim: Claim, caller: Caller) -> None:
    """One look, one decision, one transaction."""
    with transaction.atomic():
        claim.insist_mine()
        rollout = _lock(rollout_id)
        if rollout.is_at_rest:
            return
        if rollout.abort_requested or rollout.state == State.ROLLING_BACK:
            _return(rollout, caller)
            return
        step = rollout.steps.exclude(state=Step.PASSED).order_by("index").first()
        if rollout.state == State.PAUSED:
            # Held, not forgotten: a version that turns bad meanwhile does not stay.
            if step is not None and step.state == Step.RUNNING:
                _look(rollout, step, caller)
        elif rollout.pause_requested:
            rollout.state = State.PAUSED
            rollout.pause_requested = False
            rollout.save(update_fields=["state", "pause_requested"])
        elif step is None:
            closing.succeed(rollout, caller=caller)
        elif step.state == Step.WAITING and rollout.route.is_read:
            handover.hand_over(rollout, step, caller)
        elif step.state == Step.WAITING:
            _begin_step(rollout, step, caller)
        elif step.state == Step.SETTING:
            _await_gateway(rollout, step, caller)
        else:
            _look(rollout, step, caller)


def _lock(rollout_id: int) -> Rollout:
    return (
        Rollout.objects.select_for_update(of=("self",))
        .select_related(
            "route__gateway",
            "route__model",
            "route__environment",
            "workspace",
            "to_version",
            "from_version",
        )
        .get(pk=rollout_id)
    )


def _begin_step(rollout: Rollout, step: RolloutStep, caller: Caller) -> None:
    # Asked in the very transaction that moves traffic: what was true at preflight may be withdrawn.
    refusal = authority().why_not(
        reference=rollout.reference,
        release_digest=rollout.release_digest,
        environment=rollout.route.environment.name,
    )
    if refusal is not None:
        if step.index == 0:
            closing.close(rollout, State.FAILED, caller=caller, reason=refusal)
        else:
            _begin_return(rollout, caller, refusal)
        return
    candidate, stable = _targets(rollout)
    weights = {candidate.pk: step.weight}
    if stable is not None:
        weights[stable.pk] = 100 - step.weight
    step.revision = routes.set_weights(route=rollout.route, weights=weights)
    step.state = Step.SETTING
    step.started_at = step.clock_from = timezone.now()
    step.save(update_fields=["revision", "state", "started_at", "clock_from"])
    record_step(Action.ROLLOUT_STEP_INTENDED, rollout, step, caller)


def _await_gateway(rollout: Rollout, step: RolloutStep, caller: Caller) -> None:
    gateway = _gateway(rollout)
    revision = step.revision or 0
    if gateway.applied_revision >= revision:
        candidate, stable = _targets(rollout)
        step.baseline = {
            "candidate": gateway.counters.get(candidate.cluster) or measure.EMPTY,
            "stable": (gateway.counters.get(stable.cluster) if stable else None) or measure.EMPTY,
        }
        step.state = Step.RUNNING
        step.applied_at = step.clock_from = timezone.now()
        step.save(update_fields=["baseline", "state", "applied_at", "clock_from"])
        record_step(Action.ROLLOUT_STEP_DONE, rollout, step, caller)
    elif gateway.refused_revision >= revision:
        reason = f"The gateway refused the weights: {gateway.refused_reason}"
        _begin_return(rollout, caller, reason)
    elif _seconds_since(step.clock_from) > settings.ROLLOUT_GATEWAY_TIMEOUT_SECONDS:
        _pause(
            rollout,
            caller,
            "The gateway did not acknowledge the new weights: is its agent running?",
        )


def _look(rollout: Rollout, step: RolloutStep, caller: Caller) -> None:
    gateway = _gateway(rollout)
    limits = plans.parse(rollout.plan).limits
    candidate, stable = _targets(rollout)
    evidence = measure.Evidence.load(rollout.workings.get("evidence", {}))
    clusters = (candidate.cluster, stable.cluster if stable else None)
    seen = measure.look(step, gateway.counters, clusters, limits, evidence)
    if seen.is_news or not step.verdict:
        seen.row.save()
    rollout.workings = {**rollout.workings, "evidence": evidence.as_dict()}
    rollout.save(update_fields=["workings"])
    elapsed = _seconds_since(step.clock_from)
    verdict = measure.judge(step, seen, limits, elapsed)
    if verdict.kind == "pass" and rollout.state == State.PAUSED:
        verdict = measure.Verdict("wait", verdict.sentence)
    step.verdict = verdict.sentence[:500]
    if verdict.kind != "wait":
        step.state = Step.PASSED if verdict.kind == "pass" else Step.FAILED
        step.finished_at = timezone.now()
    step.save(update_fields=["baseline", "measured", "verdict", "state", "finished_at"])
    if verdict.kind == "fail":
        record_step(Action.ROLLOUT_STEP_FAILED, rollout, step, caller, verdict=verdict.sentence)
        reason = f"Version {rollout.to_version.number} is worse: {verdict.sentence}."
        _begin_return(rollout, caller, reason)
    elif verdict.kind == "wait" and rollout.state == State.RUNNING:
        silent_s = _seconds_since(gateway.counters_at)
        if silent_s > settings.ROLLOUT_GATEWAY_TIMEOUT_SECONDS:
            _pause(rollout, caller, f"The gateway has sent no counters for {silent_s:.0f} s.")
        elif elapsed > step.max_seconds:
            # Too little to tell is for a person to decide; it never counts as good.
            _pause(rollout, caller, f"Step {step.index + 1} took too long: {verdict.sentence}.")


def _return(rollout: Rollout, caller: Caller) -> None:
    """Somebody wants it to end, or it is on its way back already."""
    if rollout.state == State.ROLLING_BACK and "back" in rollout.workings:
        _go_back(rollout, caller)
        return
    reason = rollout.abort_reason or rollout.reason or "Aborted."
    if rollout.route.is_read:
        handover.take_back(rollout, caller, reason)
    elif rollout.steps.exclude(state=Step.WAITING).exists():
        _begin_return(rollout, caller, reason)
    else:
        closing.close(rollout, State.FAILED, caller=caller, reason=reason)


def _begin_return(rollout: Rollout, caller: Caller, reason: str) -> None:
    """Weights back at once, in this transaction; ``_go_back`` then sees that they arrived."""
    _, stable = _targets(rollout)
    weights = {stable.pk: 100} if stable is not None else {}
    revision = routes.set_weights(route=rollout.route, weights=weights)
    companions.bring_back(rollout)
    rollout.state = State.ROLLING_BACK
    rollout.reason = reason[:1000]
    back = {"revision": revision, "since": timezone.now().isoformat()}
    rollout.workings = {**rollout.workings, "back": back}
    rollout.save(update_fields=["state", "reason", "workings"])
    record_step(Action.ROLLOUT_STEP_INTENDED, rollout, None, caller, reason=reason, weight=0)


def _go_back(rollout: Rollout, caller: Caller) -> None:
    """When the gateway has the old weights and no answer comes any more, it is over."""
    back = rollout.workings["back"]
    candidate, _ = _targets(rollout)
    gateway = _gateway(rollout)
    is_applied = gateway.applied_revision >= back["revision"]
    if is_applied:
        # Sticky or late traffic must be seen to have stopped, not assumed (SERVING 3).
        reading = (gateway.counters.get(candidate.cluster) or measure.EMPTY)["answers"]
        at = gateway.counters_at.isoformat() if gateway.counters_at else ""
        if back.get("at") != at:
            if back.get("answers") == reading:
                closing.roll_back(rollout, caller=caller)
                return
            rollout.workings = {**rollout.workings, "back": {**back, "answers": reading, "at": at}}
            rollout.save(update_fields=["workings"])
    elif gateway.refused_revision >= back["revision"]:
        reason = f"The gateway refused the way back: {gateway.refused_reason}"
        closing.needs_operator(rollout, caller=caller, reason=reason)
        return
    since = datetime.fromisoformat(back["since"])
    if _seconds_since(since) > settings.ROLLOUT_GATEWAY_TIMEOUT_SECONDS:
        reason = (
            f"Version {rollout.to_version.number} goes on answering although its weight is 0."
            if is_applied
            else "The gateway did not acknowledge the way back: is its agent running?"
        )
        closing.needs_operator(rollout, caller=caller, reason=reason)


def _gateway(rollout: Rollout) -> Gateway:
    """The gateway's row as it is now; only routes with one get here."""
    return Gateway.objects.get(pk=rollout.route.gateway_id or 0)


def _targets(rollout: Rollout) -> tuple[RouteTarget, RouteTarget | None]:
    """The new version's target and the live version's, if there is one, as preflight chose them."""
    wanted = (rollout.workings["candidate"], rollout.workings["stable"])
    found = RouteTarget.objects.select_related("endpoint", "route").in_bulk(
        [pk for pk in wanted if pk is not None]
    )
    # A target that is gone raises here: never set weights for half of a pair.
    return found[wanted[0]], found[wanted[1]] if wanted[1] is not None else None


def _pause(rollout: Rollout, caller: Caller, reason: str) -> None:
    rollout.state = State.PAUSED
    rollout.reason = reason[:1000]
    rollout.save(update_fields=["state", "reason"])
    record_step(Action.ROLLOUT_PAUSED, rollout, None, caller, reason=reason)


def _seconds_since(moment: datetime | None) -> float:
    return (timezone.now() - moment).total_seconds() if moment else 0.0
