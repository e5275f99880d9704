"""Running a job again that ended without a result."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import IntegrityError, transaction

from audit.actions import Action
from audit.services.record import record
from common.commit import after_commit
from common.errors import Conflict, InvalidTransition
from jobs import broker, policies
from jobs.clock import ClockTimestamp, NextFence
from jobs.models import Job
from jobs.services.cancel import lock

if TYPE_CHECKING:
    from accounts.callers import Caller

_FIELDS = [
    "state",
    "attempts",
    "error",
    "error_code",
    "cancel_requested",
    "finished_at",
    "lease_until",
    "next_run_at",
    "fence",
]


@transaction.atomic
def retry(*, uid: UUID | str, caller: Caller) -> Job:
    """Put a failed, cancelled or stuck job back into the queue, from its last saved cursor.

    Raises:
        JobNotFound: there is none in the caller's workspace.
        NotAllowed: it is neither the caller's own nor is the caller an operator.
        InvalidTransition: it is waiting, running or done.
        Conflict: newer unfinished work has the same key.
    """
    job = lock(uid=uid, caller=caller)
    policies.insist_may_change(caller, job)
    if job.state not in (Job.State.FAILED, Job.State.CANCELLED, Job.State.NEEDS_OPERATOR):
        raise InvalidTransition(
            f"Only a job that ended without a result can be run again; this one is "
            f"{job.get_state_display().lower()}."
        )
    before = job.state
    job.state = Job.State.QUEUED
    job.attempts = 0
    job.error = job.error_code = ""
    job.cancel_requested = False
    job.finished_at = job.lease_until = None
    job.next_run_at = ClockTimestamp()
    job.fence = NextFence()
    try:
        with transaction.atomic():
            job.save(update_fields=_FIELDS)
    except IntegrityError:
        raise Conflict("The same work was asked for again meanwhile.", code="asked_again") from None
    job.refresh_from_db()
    record(
        Action.JOB_RETRIED,
        actor=caller.actor,
        object_type="job",
        object_id=str(job.uid),
        object_name=job.title,
        before={"state": before},
        after={"state": job.state},
        details={"kind": job.kind},
    )
    after_commit(broker.nudge, str(job.uid), job.queue)
    return job
