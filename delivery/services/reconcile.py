"""Does the gateway serve what the registry says? Asked each minute, of every route at rest.

The only cover for what no rollout did: weights or an alias changed beside us, a gateway that fell
behind, a rollout whose job was lost (RELIABILITY 4.2). It reports; it moves no traffic by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from audit.actions import Action
from audit.services.record import record
from delivery.models import Rollout, Route, RouteTarget
from delivery.services import closing, rollouts
from registry import selectors as registry

if TYPE_CHECKING:
    from jobs.models import Job

EVERY_S = 60
State = Rollout.State
STRANDABLE = (State.QUEUED, State.RUNNING, State.PAUSED, State.ROLLING_BACK)


def reconcile() -> int:
    """Look at every route and every stranded rollout once; how many need somebody's attention."""
    stranded = Rollout.objects.filter(
        state__in=STRANDABLE, job__finished_at__isnull=False
    ).select_related("job")
    for rollout in stranded:
        if rollout.job is not None:
            pick_up(rollout.job)
    waiting = 0
    for pk in Route.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            waiting += bool(_look_at(pk))
    return waiting


@transaction.atomic
def pick_up(job: Job) -> None:
    """A rollout whose job is over goes on by a new one, or, given up, calls an operator."""
    rollout = (
        Rollout.objects.select_for_update(of=("self",))
        .select_related("workspace", "route__model", "route__environment", "to_version")
        .filter(job=job, state__in=STRANDABLE)
        .first()
    )
    if rollout is None:
        return
    caller = Caller.system("delivery", rollout.workspace)
    over = {job.State.FAILED, job.State.NEEDS_OPERATOR}
    if job.state in over and job.error_code != rollouts.NEEDS_OPERATOR:
        reason = f"Its job was given up: {job.error or job.message}"
        closing.needs_operator(rollout, caller=caller, reason=reason)
    else:
        # Somebody asked for something in the moment in which the job ended.
        rollouts.enqueue_job(rollout, caller)


def _look_at(route_id: int) -> str:
    route = (
        Route.objects.select_for_update(of=("self",))
        .select_related("gateway", "model", "environment", "workspace")
        .get(pk=route_id)
    )
    reason = _why_not_in_step(route)
    # Asked last: a rollout that began meanwhile explains whatever was found.
    if route.rollouts.filter(state__in=Rollout.UNFINISHED).exists():
        return ""
    if bool(reason) == bool(route.attention):
        return reason
    before, route.attention = route.attention, reason[:500]
    route.attention_since = timezone.now() if reason else None
    route.save(update_fields=["attention", "attention_since"])
    record(
        Action.ROUTE_DRIFTED if reason else Action.ROUTE_IN_STEP,
        actor=Caller.system("delivery", route.workspace).actor,
        object_type="route",
        object_id=str(route.uid),
        object_name=route.name,
        details={"reason": route.attention or before},
    )
    return reason


def _why_not_in_step(route: Route) -> str:
    """A sentence, or nothing when gateway and registry agree."""
    if route.gateway is None:
        return ""  # readers are told what the registry says: there is no second account of it
    live = registry.live_version(route.model, route.environment.name)
    targets = RouteTarget.objects.filter(route=route, weight__gt=0).select_related("version")
    serves = {target.version_id: target for target in targets}
    shown = ", ".join(f"version {t.version.number}: {t.weight} %" for t in serves.values())
    if live is None and serves:
        return f"The registry has nothing live, the route leads to {shown}."
    if live is not None and (set(serves) != {live.pk} or serves[live.pk].weight != 100):
        return (
            f"The registry has version {live.number} live, the route leads to {shown or 'nothing'}."
        )
    gateway = route.gateway
    patience_s = settings.ROLLOUT_GATEWAY_TIMEOUT_SECONDS
    behind_s = (timezone.now() - gateway.revised_at).total_seconds()
    if gateway.applied_revision == gateway.revision or behind_s < patience_s:
        return ""
    if gateway.refused_revision == gateway.revision:
        return f"The gateway refuses its configuration: {gateway.refused_reason}"
    return f"The gateway serves revision {gateway.applied_revision}, not {gateway.revision}."
