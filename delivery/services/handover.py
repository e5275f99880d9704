"""A rollout without traffic: what the readers of a route are told, and nothing else, changes.

Jobs, tables, streams and devices fetch a version when they next ask. So there are no shares to
set and nobody to measure: after the same questions as for any rollout the alias moves, and the
route remembers when the first reader took the new version up. Where the route has rings, those
after the first go on getting the version before until an operator opens them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from audit.actions import Action
from delivery.models import Rollout, RolloutStep, Route
from delivery.ports import authority
from delivery.services import closing, companions, recalls
from delivery.services.steps import record_step

if TYPE_CHECKING:
    from accounts.callers import Caller
    from audit.models import Checkpoint
    from jobs.registry import Claim

State = Rollout.State


def begin(rollout: Rollout, checkpoint: Checkpoint, claim: Claim) -> None:
    """The approval is sealed: nothing else has to be ready before a version is handed over."""
    with transaction.atomic():
        claim.insist_mine()
        locked = Rollout.objects.select_for_update(of=("self",)).get(pk=rollout.pk)
        if locked.state != State.QUEUED or locked.abort_requested:
            return
        locked.state = State.RUNNING
        locked.checkpoint_size = checkpoint.tree_size
        locked.save(update_fields=["state", "checkpoint_size"])


def hand_over(rollout: Rollout, step: RolloutStep, caller: Caller) -> None:
    """Ask once more, then let readers have it; the caller holds the rollout's lock.

    The rings that wait are told to wait here, one transaction before the alias moves: until it
    does, what they are held at is what is live.
    """
    refusal = authority().why_not(
        reference=rollout.reference,
        release_digest=rollout.release_digest,
        environment=rollout.route.environment.name,
    ) or recalls.why_not(rollout.to_version)
    if refusal:
        closing.close(rollout, State.FAILED, caller=caller, reason=refusal)
        return
    route = Route.objects.select_for_update(of=("self",)).get(pk=rollout.route_id)
    rings = list(route.rings.all())
    holds = len(rings) > 1 and rollout.from_version is not None
    route.held_version = rollout.from_version if holds else None
    route.open_rings = 1 if holds else len(rings)
    route.save(update_fields=["held_version", "open_rings"])
    now = timezone.now()
    step.state = RolloutStep.State.PASSED
    step.started_at = step.applied_at = step.clock_from = step.finished_at = now
    step.verdict = (
        f"handed over to the ring {rings[0].name}; the others follow when they are opened"
        if holds
        else "handed over: whoever asks gets it from now on"
    )
    step.save(
        update_fields=["state", "started_at", "applied_at", "clock_from", "finished_at", "verdict"]
    )
    record_step(Action.ROLLOUT_STEP_DONE, rollout, step, caller, handed_over=step.verdict)


def take_back(rollout: Rollout, caller: Caller, reason: str) -> None:
    """Readers get the version before again; the caller holds the rollout's lock."""
    if not rollout.steps.exclude(state=RolloutStep.State.WAITING).exists():
        closing.close(rollout, State.FAILED, caller=caller, reason=reason)
        return
    Route.objects.filter(pk=rollout.route_id).update(held_version=None, open_rings=0)
    companions.bring_back(rollout)
    rollout.state = State.ROLLING_BACK
    rollout.reason = reason[:1000]
    rollout.save(update_fields=["state", "reason"])
    closing.roll_back(rollout, caller=caller)
