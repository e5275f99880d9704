"""Starting and steering rollouts. ``advance`` does the work; this only says what is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from accounts.roles import Capability
from audit.actions import Action
from audit.services.record import record
from common.errors import AlreadyExists, Conflict, InvalidTransition, NotFound
from delivery.models import Rollout, RolloutStep
from delivery.services import companions, recalls
from delivery.services.routes import route_for
from jobs.services.enqueue import enqueue
from registry import components
from registry import selectors as registry

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.callers import Caller
    from delivery.plan import Plan
    from registry.models import Environment, ModelVersion, RegisteredModel

KIND = "delivery.rollout"
#: Code with which a job ends because its rollout says the same.
NEEDS_OPERATOR = "rollout_needs_operator"
State = Rollout.State


@transaction.atomic
def start(
    *,
    caller: Caller,
    reference: str,
    model: RegisteredModel,
    environment: Environment,
    to_version: ModelVersion,
    plan: Plan,
) -> Rollout:
    """Let a rollout begin: its row, its steps, its job and its event commit together.

    ``reference`` names the approval, which is asked for again before any traffic moves; so this
    asks no capability of its own.

    Raises:
        NotFound: the model has no route in that environment.
        Conflict: that version is live there already, or it is called back.
        AlreadyExists: another rollout holds the route, or the approval was used.
    """
    route = route_for(model=model, environment=environment)
    if route is None:
        raise NotFound(
            f"{model.name} has no route in {environment.name}: create one first.", code="no_route"
        )
    route = type(route).objects.select_for_update(of=("self",)).get(pk=route.pk)
    busy = Rollout.objects.filter(route=route, state__in=Rollout.UNFINISHED).first()
    if busy is not None:
        raise AlreadyExists(
            f"A rollout of version {busy.to_version.number} holds this route.", code="route_busy"
        )
    used = Rollout.objects.filter(
        reference=reference, state__in=[*Rollout.UNFINISHED, State.SUCCEEDED]
    ).first()
    if used is not None:
        raise AlreadyExists(
            f"This approval is used: its rollout is {used.get_state_display().lower()}.",
            code="approval_used",
        )
    if route.held_version_id is not None:
        raise Conflict(
            "The version before has not reached every ring yet: open them, or roll it back.",
            code="rings_closed",
        )
    if refusal := recalls.why_not(to_version):
        raise Conflict(refusal, code="recalled")
    live = registry.live_version(model, environment.name)
    if live == to_version:
        raise Conflict(f"Version {to_version.number} is live already.", code="already_live")
    rollout = Rollout.objects.create(
        workspace=route.workspace,
        route=route,
        reference=reference,
        release_digest=to_version.release_digest,
        from_version=live,
        to_version=to_version,
        plan=plan.as_dict(),
        started_by_pid=caller.actor.pid,
        started_by_label=caller.label[:200],
    )
    # With nothing live there is nobody to compare with: a first release goes to 100 % at once.
    # Without traffic there are no shares of it: one step, the handing over.
    compares = live is not None and not route.is_read
    steps = plan.steps if compares else plan.steps[-1:]
    RolloutStep.objects.bulk_create(
        RolloutStep(
            rollout=rollout,
            index=index,
            weight=step.weight,
            # Without a live version nobody calls yet: waiting for answers would wait for ever.
            min_answers=max(1, step.min_answers) if compares else 0,
            min_seconds=0 if route.is_read else step.min_seconds,
            max_seconds=step.max_seconds,
        )
        for index, step in enumerate(steps)
    )
    enqueue_job(rollout, caller)
    _record(Action.ROLLOUT_STARTED, rollout, caller, plan=rollout.plan, reference=reference)
    return rollout


def pause(*, caller: Caller, uid: str | UUID) -> Rollout:
    """Hold the rollout where it is; the weights stay."""
    with transaction.atomic():
        rollout = _locked(caller, uid)
        if rollout.state not in {State.QUEUED, State.RUNNING}:
            raise InvalidTransition(
                f"A rollout that is {rollout.get_state_display().lower()} cannot be paused."
            )
        rollout.pause_requested = True
        rollout.save(update_fields=["pause_requested"])
        _record(Action.ROLLOUT_PAUSED, rollout, caller)
        return rollout


def resume(*, caller: Caller, uid: str | UUID) -> Rollout:
    """Go on after a pause; the approval is asked again before the next step."""
    with transaction.atomic():
        rollout = _locked(caller, uid)
        if rollout.state != State.PAUSED and not rollout.pause_requested:
            raise InvalidTransition("Only a paused rollout can go on.")
        rollout.pause_requested = False
        if rollout.state == State.PAUSED:
            rollout.state = State.RUNNING
            rollout.reason = ""
            # What waited for a person may wait as long again.
            rollout.steps.filter(
                state__in=[RolloutStep.State.SETTING, RolloutStep.State.RUNNING]
            ).update(clock_from=Now())
        rollout.save(update_fields=["pause_requested", "state", "reason"])
        enqueue_job(rollout, caller)
        _record(Action.ROLLOUT_RESUMED, rollout, caller)
        return rollout


def abort(*, caller: Caller, uid: str | UUID, reason: str) -> Rollout:
    """Send all traffic back to what was live and end the rollout. Needs no approval."""
    with transaction.atomic():
        rollout = _locked(caller, uid)
        if rollout.is_finished:
            raise InvalidTransition(f"This rollout is over: {rollout.get_state_display().lower()}.")
        return request_abort(rollout=rollout, caller=caller, reason=reason)


def request_abort(*, rollout: Rollout, caller: Caller, reason: str) -> Rollout:
    """The same for a locked rollout and a caller whose right was checked, such as an alert."""
    rollout.abort_requested = True
    rollout.abort_reason = reason[:500]
    if rollout.state in {State.PAUSED, State.NEEDS_OPERATOR}:
        rollout.state = State.ROLLING_BACK
        rollout.reason = reason[:1000]
        # Asked again after a refusal, the way back is asked of the gateway again.
        rollout.workings = {k: v for k, v in rollout.workings.items() if k != "back"}
    rollout.save(update_fields=["abort_requested", "abort_reason", "state", "reason", "workings"])
    enqueue_job(rollout, caller)
    _record(Action.ROLLOUT_ABORTED, rollout, caller, pii={"reason": reason[:500]})
    return rollout


def rollback(*, caller: Caller, uid: str | UUID, reason: str) -> Rollout:
    """Return to the version before, during a rollout or after it. Needs no approval.

    Raises: InvalidTransition when something newer is live, or there is nothing to return to.
    """
    with transaction.atomic():
        rollout = _locked(caller, uid)
        if not rollout.is_finished:
            return request_abort(rollout=rollout, caller=caller, reason=reason)
        live = registry.live_version(rollout.route.model, rollout.route.environment.name)
        if rollout.state != State.SUCCEEDED or live != rollout.to_version:
            raise InvalidTransition("Only what this rollout made live can be taken back by it.")
        if rollout.from_version is None:
            raise InvalidTransition("Nothing was live before, so there is nothing to return to.")
        if Rollout.objects.filter(route=rollout.route, state__in=Rollout.UNFINISHED).exists():
            raise InvalidTransition("Another rollout holds this route: abort that one first.")
        _insist_may_return(rollout)
        rollout.state = State.ROLLING_BACK
        rollout.reason = reason[:1000]
        rollout.abort_requested = True
        rollout.abort_reason = reason[:500]
        rollout.finished_at = None
        rollout.save(
            update_fields=["state", "reason", "abort_requested", "abort_reason", "finished_at"]
        )
        enqueue_job(rollout, caller)
        _record(Action.ROLLOUT_ABORTED, rollout, caller, pii={"reason": reason[:500]})
        return rollout


def _insist_may_return(rollout: Rollout) -> None:
    """What went along comes back with it, and nothing that stays live may be left half."""
    try:
        companions.insist_free(rollout)
    except companions.RouteBusy as error:
        raise InvalidTransition(error.message) from None
    refusal = components.why_not_stand(
        workspace=rollout.workspace,
        alias=rollout.route.environment.alias,
        moves={**companions.stood(rollout), rollout.route.model_id: rollout.from_version},
    )
    if refusal is not None:
        raise InvalidTransition(f"There is no way back that keeps all whole: {refusal}")


def _locked(caller: Caller, uid: str | UUID) -> Rollout:
    caller.insist(Capability.ROLLOUT_OPERATE)
    rollout = (
        Rollout.objects.select_for_update(of=("self",))
        .select_related("route__model", "route__environment", "to_version", "from_version")
        .filter(workspace=caller.workspace, uid=uid)
        .first()
    )
    if rollout is None:
        raise NotFound("There is no such rollout.", code="rollout_not_found")
    return rollout


def enqueue_job(rollout: Rollout, caller: Caller) -> None:
    """Ask for the work of this locked rollout; an unfinished job of it does it, if there is one."""
    rollout.job = enqueue(
        KIND,
        workspace=rollout.workspace,
        title=f"{rollout.route.model.name} {rollout.to_version.number} onto {rollout.route.name}",
        payload={"rollout": str(rollout.uid)},
        caller=caller,
        dedupe_key=f"rollout:{rollout.uid}",
    )
    rollout.save(update_fields=["job"])


def _record(
    action: Action,
    rollout: Rollout,
    caller: Caller,
    *,
    pii: dict[str, str] | None = None,
    **details: object,
) -> None:
    record(
        action,
        actor=caller.actor,
        object_type="rollout",
        object_id=str(rollout.uid),
        object_name=f"{rollout.route.model.name} {rollout.to_version.number}",
        object_digest=rollout.release_digest,
        details={"route": rollout.route.name, **details},
        pii=pii,
    )
