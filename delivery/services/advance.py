"""The engine of a rollout: from what the rows say, take the next small step, and no other.

Every tick is one transaction that first proves that its claim still holds (fence), then reads,
decides and writes. What must happen outside (new weights) is an intent in those rows: the gateway
agent fetches it, and what it acknowledges is read back before anything else. So a worker that is
killed at any moment leaves rows from which the next one goes on.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from audit.actions import Action
from audit.services.record import record
from audit.services.seal import NotSealed, wait_sealed
from common.errors import DomainError
from delivery import plan as plans
from delivery.models import Gateway, Rollout, RolloutStep, RouteTarget
from delivery.ports import authority
from delivery.services import closing, measure, routes
from jobs.registry import Continue, Done
from serving import selectors as serving
from serving.services import endpoints

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.registry import Claim

State = Rollout.State
Step = RolloutStep.State
SPARE_S = 15.0
SEAL_TIMEOUT_S = 10.0
PAUSED_POLL_S = 2.0


def advance(job: Job, claim: Claim) -> Done | Continue:
    """Tick until the rollout rests, pauses, or the claim's budget is spent."""
    uid = job.payload["rollout"]
    while True:
        rollout = Rollout.objects.select_related("workspace").get(uid=uid)
        caller = Caller.system(
            "delivery", rollout.workspace, job={"id": str(job.uid), "fence": claim.fence}
        )
        if rollout.state == State.QUEUED and not rollout.abort_requested:
            preflight(rollout, claim, caller)
        else:
            tick(rollout.pk, claim, caller)
        rollout.refresh_from_db()
        if rollout.is_finished or rollout.state == State.NEEDS_OPERATOR:
            return Done({"state": rollout.state}, message=rollout.reason or "Done.")
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
    gate = authority()
    try:
        checkpoint = wait_sealed(gate.approval_events(rollout.reference), SEAL_TIMEOUT_S)
    except NotSealed as error:
        return _fail_early(rollout, claim, caller, f"The approval is not sealed: {error}")
    endpoint = serving.endpoint_for(rollout.to_version)
    if endpoint is None:
        return _fail_early(rollout, claim, caller, "The version has no endpoint.")
    try:
        endpoints.probe(caller=caller, endpoint=endpoint)
        with transaction.atomic():
            target = routes.place_target(
                route=rollout.route, endpoint=endpoint, version=rollout.to_version
            )
    except DomainError as error:
        return _fail_early(rollout, claim, caller, f"The endpoint is not ready: {error.message}")
    live = RouteTarget.objects.filter(route=rollout.route, weight__gt=0).exclude(pk=target.pk)
    expected = [rollout.from_version_id] if rollout.from_version_id else []
    if [item.version_id for item in live] != expected:
        return _fail_early(
            rollout, claim, caller, "Gateway and registry disagree about what is live here."
        )
    with transaction.atomic():
        claim.insist_mine()
        locked = _lock(rollout.pk)
        if locked.state == State.QUEUED:
            locked.state = State.RUNNING
            locked.checkpoint_size = checkpoint.tree_size if checkpoint else None
            locked.save(update_fields=["state", "checkpoint_size"])
    return None


def _fail_early(rollout: Rollout, claim: Claim, caller: Caller, reason: str) -> None:
    with transaction.atomic():
        claim.insist_mine()
        closing.close(_lock(rollout.pk), State.FAILED, caller=caller, reason=reason)


def tick(rollout_id: int, claim: Claim, caller: Caller) -> None:
    """One look, one decision, one transaction."""
    with transaction.atomic():
        claim.insist_mine()
        rollout = _lock(rollout_id)
        if rollout.is_finished or rollout.state in {State.PAUSED, State.NEEDS_OPERATOR}:
            return
        if rollout.state == State.ROLLING_BACK:
            _go_back(rollout, caller)
            return
        if rollout.abort_requested:
            _begin_return(rollout, caller, rollout.abort_reason or "Aborted.")
            return
        if rollout.pause_requested:
            rollout.state = State.PAUSED
            rollout.pause_requested = False
            rollout.save(update_fields=["state", "pause_requested"])
            return
        step = rollout.steps.exclude(state=Step.PASSED).order_by("index").first()
        if step is None:
            closing.succeed(rollout, caller=caller)
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
    elif step.weight != 100:
        _needs_operator(rollout, caller, "The live version's target is gone from the route.")
        return
    step.revision = routes.set_weights(route=rollout.route, weights=weights)
    step.state = Step.SETTING
    step.started_at = timezone.now()
    step.save(update_fields=["revision", "state", "started_at"])
    record_step(Action.ROLLOUT_STEP_INTENDED, rollout, step, caller)


def _await_gateway(rollout: Rollout, step: RolloutStep, caller: Caller) -> None:
    gateway = Gateway.objects.get(pk=rollout.route.gateway_id)
    revision = step.revision or 0
    if gateway.applied_revision >= revision:
        candidate, stable = _targets(rollout)
        step.baseline = {
            "candidate": gateway.counters.get(candidate.cluster) or measure.EMPTY,
            "stable": (gateway.counters.get(stable.cluster) if stable else None) or measure.EMPTY,
        }
        step.state = Step.RUNNING
        step.applied_at = timezone.now()
        step.save(update_fields=["baseline", "state", "applied_at"])
        record_step(Action.ROLLOUT_STEP_DONE, rollout, step, caller)
    elif gateway.refused_revision >= revision:
        _begin_return(rollout, caller, f"The gateway refused the weights: {gateway.refused_reason}")
    elif _seconds_since(step.started_at) > settings.ROLLOUT_GATEWAY_TIMEOUT_SECONDS:
        _pause(rollout, "The gateway did not acknowledge the new weights: is its agent running?")


def _look(rollout: Rollout, step: RolloutStep, caller: Caller) -> None:
    gateway = Gateway.objects.get(pk=rollout.route.gateway_id)
    plan = plans.parse(rollout.plan)
    candidate, stable = _targets(rollout)
    step.rollout = rollout
    row = measure.sample(
        step, gateway.counters, (candidate.cluster, stable.cluster if stable else None), plan.limits
    )
    row.save()
    elapsed = _seconds_since(step.applied_at)
    verdict = measure.judge(step, row, plan.limits, elapsed)
    step.verdict = verdict.sentence[:500]
    if verdict.kind == "pass":
        step.state = Step.PASSED
        step.finished_at = timezone.now()
    elif verdict.kind == "fail":
        step.state = Step.FAILED
        step.finished_at = timezone.now()
    step.save(update_fields=["baseline", "measured", "verdict", "state", "finished_at"])
    if verdict.kind == "fail":
        record_step(Action.ROLLOUT_STEP_FAILED, rollout, step, caller, verdict=verdict.sentence)
        _begin_return(
            rollout, caller, f"Version {rollout.to_version.number} is worse: {verdict.sentence}."
        )
    elif verdict.kind == "wait" and elapsed > step.max_seconds:
        # Too little to tell is for a person to decide; it never counts as good.
        _pause(rollout, f"Step {step.index + 1} took too long: {verdict.sentence}.")


def _begin_return(rollout: Rollout, caller: Caller, reason: str) -> None:
    rollout.state = State.ROLLING_BACK
    rollout.reason = reason[:1000]
    rollout.save(update_fields=["state", "reason"])
    _go_back(rollout, caller)


def _go_back(rollout: Rollout, caller: Caller) -> None:
    """Weights back first; then, when the gateway has them and no answer comes any more, the end."""
    back: dict[str, Any] = rollout.plan.get("back", {})
    candidate, stable = _targets(rollout)
    gateway = Gateway.objects.get(pk=rollout.route.gateway_id)
    if "revision" not in back:
        weights = {stable.pk: 100} if stable is not None else {}
        back = {"revision": routes.set_weights(route=rollout.route, weights=weights)}
        record_step(Action.ROLLOUT_STEP_INTENDED, rollout, None, caller, weight=0)
    elif gateway.applied_revision >= back["revision"]:
        # Sticky or late traffic must be seen to have stopped, not assumed (SERVING 3).
        reading = (gateway.counters.get(candidate.cluster) or measure.EMPTY)["answers"]
        at = gateway.counters_at.isoformat() if gateway.counters_at else ""
        if back.get("answers") == reading and back.get("at") != at:
            closing.roll_back(rollout, caller=caller)
            return
        if back.get("at") != at:
            back = {**back, "answers": reading, "at": at}
    elif gateway.refused_revision >= back["revision"]:
        _needs_operator(
            rollout, caller, f"The gateway refused the way back: {gateway.refused_reason}"
        )
        return
    rollout.plan = {**rollout.plan, "back": back}
    rollout.save(update_fields=["plan"])


def _targets(rollout: Rollout) -> tuple[RouteTarget, RouteTarget | None]:
    """The new version's target and the live version's, if there is one."""
    targets = list(
        RouteTarget.objects.select_related("endpoint").filter(route=rollout.route).order_by("-pk")
    )
    candidate = next(t for t in targets if t.version_id == rollout.to_version_id)
    stable = next((t for t in targets if t.version_id == rollout.from_version_id), None)
    return candidate, stable


def _pause(rollout: Rollout, reason: str) -> None:
    rollout.state = State.PAUSED
    rollout.reason = reason[:1000]
    rollout.save(update_fields=["state", "reason"])


def _needs_operator(rollout: Rollout, caller: Caller, reason: str) -> None:
    closing.needs_operator(rollout, caller=caller, reason=reason)


def _seconds_since(moment: Any) -> float:
    return (timezone.now() - moment).total_seconds() if moment else 0.0


def record_step(
    action: Action, rollout: Rollout, step: RolloutStep | None, caller: Caller, **details: object
) -> None:
    """An event about one step of a rollout."""
    about = {} if step is None else {"step": step.index + 1, "weight": step.weight}
    record(
        action,
        actor=caller.actor,
        object_type="rollout",
        object_id=str(rollout.uid),
        object_name=f"{rollout.route.model.name} {rollout.to_version.number}",
        object_digest=rollout.release_digest,
        details={"route": rollout.route.name, **about, **details},
    )
