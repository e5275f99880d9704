"""The rollout's job handler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.services import advance
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
