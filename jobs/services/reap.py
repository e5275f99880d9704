"""Jobs whose lease is over: their worker died, hangs, or lost the database."""

from __future__ import annotations

import logging

from django.db import transaction

from jobs import registry
from jobs.clock import ClockTimestamp, NextFence
from jobs.models import Job
from jobs.services import finish
from jobs.services.announce import announce

logger = logging.getLogger(__name__)

_BATCH = 100


def reap() -> int:
    """Take every job with an expired lease from its holder; how many.

    Each counts as a failed attempt. The new fence makes whatever the old holder still tries to
    write miss. A row that its holder has locked right now (``insist_mine``) is left to it.
    """
    with transaction.atomic():
        lost = list(
            Job.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("workspace")
            .filter(state=Job.State.RUNNING, lease_until__lt=ClockTimestamp())
            .order_by("lease_until")[:_BATCH]
        )
        for job in lost:
            _take_away(job)
    for job in lost:
        if job.is_terminal:
            announce(job)
    return len(lost)


def _take_away(job: Job) -> None:
    kind = registry.find_kind(job.kind)
    attempts = job.attempts + 1
    held = job.fence
    values: dict[str, object] = {"attempts": attempts, "lease_until": None, "fence": NextFence()}
    if job.cancel_requested and (kind is None or kind.cancelling == "anytime"):
        values |= {"state": Job.State.CANCELLED, "message": "Cancelled."}
    elif attempts >= job.max_attempts:
        state = Job.State.FAILED if kind is None else Job.State(kind.exhausted)
        values |= {
            "state": state,
            "error_code": "worker_lost",
            "error": f"The worker was lost {attempts} times in a row.",
        }
        finish.record_failure(job, code="worker_lost", state=state, fence=held)
    else:
        values |= {
            "state": Job.State.QUEUED,
            "error_code": "worker_lost",
            "error": "The worker was lost; the work goes on from where it was saved.",
            "next_run_at": ClockTimestamp(),
        }
    if values["state"] != Job.State.QUEUED:
        values["finished_at"] = ClockTimestamp()
    Job.objects.filter(pk=job.pk).update(**values)
    job.refresh_from_db()
    logger.warning(
        "job %s %s: lease over under fence %d, now %s", job.kind, job.uid, held, job.state
    )
