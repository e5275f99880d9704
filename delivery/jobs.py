"""The job handlers of delivery: rollouts and snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.services import advance, learning, snapshots
from delivery.services.rollouts import KIND
from jobs.registry import Continue, Done, register

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.registry import Claim


# Ended by its own abort, which sends the traffic back; a job that is given up is no way to end it.
@register(KIND, max_attempts=20, exhausted="needs_operator", cancelling="never")
def rollout(job: Job, claim: Claim) -> Done | Continue:
    """Carry one rollout on. Safe to run twice: every decision is made from rows under the fence."""
    return advance.advance(job, claim)


@register(learning.KIND, max_attempts=3)
def snapshot(job: Job, claim: Claim) -> Done | Continue:
    """Fetch one learner's state and register it. Safe to run twice: same bytes, same release."""
    taken = snapshots.fetch(snapshot_uid=job.payload["snapshot"], caller=claim.caller("delivery"))
    number = taken.version.number if taken.version is not None else None
    return Done({"state": taken.state, "version": number}, message=taken.reason or "Registered.")
