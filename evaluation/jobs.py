"""The doors of evidence's background work. Nothing heavy is imported before a job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.registry import register

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.registry import Continue, Done
    from jobs.services.claim import Claim

#: An endpoint that did not answer is asked again twice, then the evidence says so.
ATTEMPTS = 3


@register("evaluation.evaluation", max_attempts=ATTEMPTS)
@register("evaluation.differential", max_attempts=ATTEMPTS)
@register("evaluation.fairness", max_attempts=ATTEMPTS)
@register("evaluation.explanation", max_attempts=ATTEMPTS)
def advance(job: Job, claim: Claim) -> Done | Continue:
    """Score the next batches, or compute the result. Safe to run twice."""
    from evaluation.services.advance import advance as work

    return work(job, claim)


def settle_all() -> None:
    """Periodic: bring evidence after jobs that ended without their handler."""
    from evaluation.services.finish import settle_all as settle

    settle()
