"""Ending a job because somebody asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from audit.actions import Action
from audit.services.record import record
from common.commit import after_commit
from common.errors import InvalidTransition
from jobs import broker, policies, registry
from jobs.clock import ClockTimestamp, NextFence
from jobs.errors import JobNotFound, NotCancellable
from jobs.models import Job
from jobs.services.announce import announce

if TYPE_CHECKING:
    from accounts.callers import Caller


@transaction.atomic
def cancel(*, uid: UUID | str, caller: Caller) -> Job:
    """A waiting job ends at once; a running one is asked to stop and ends at its next step.

    Raises:
        JobNotFound: there is none in the caller's workspace.
        NotAllowed: it is neither the caller's own nor is the caller an operator.
        NotCancellable: this kind is ended elsewhere.
        InvalidTransition: it is over already.
    """
    job = lock(uid=uid, caller=caller)
    policies.insist_may_change(caller, job)
    kind = registry.find_kind(job.kind)
    if kind is not None and kind.cancelling == "never":
        raise NotCancellable("This work is not cancelled here, but where it was begun.")
    if job.is_terminal:
        raise InvalidTransition(f"The job is already over: {job.get_state_display().lower()}.")
    if job.cancel_requested:
        return job
    before = job.state
    job.cancel_requested = True
    fields = ["cancel_requested"]
    ends_now = job.state == Job.State.QUEUED and (kind is None or kind.cancelling == "anytime")
    if ends_now:
        job.state = Job.State.CANCELLED
        job.message = "Cancelled."
        job.finished_at = ClockTimestamp()
        job.fence = NextFence()
        fields += ["state", "message", "finished_at", "fence"]
    elif job.state == Job.State.QUEUED:
        # Its handler decides what the wish means, and should not sleep on it.
        job.next_run_at = ClockTimestamp()
        fields += ["next_run_at"]
        after_commit(broker.nudge, str(job.uid), job.queue)
    job.save(update_fields=fields)
    job.refresh_from_db()
    record(
        Action.JOB_CANCELLED,
        actor=caller.actor,
        object_type="job",
        object_id=str(job.uid),
        object_name=job.title,
        before={"state": before},
        after={"state": job.state, "cancel_requested": True},
        details={"kind": job.kind},
    )
    if ends_now:
        after_commit(announce, job)
    return job


def lock(*, uid: UUID | str, caller: Caller) -> Job:
    """The job, locked for this transaction. Raises: JobNotFound."""
    job = (
        Job.objects.select_for_update(of=("self",))
        .select_related("workspace")
        .filter(workspace=caller.workspace, uid=uid)
        .first()
    )
    if job is None:
        raise JobNotFound("There is no such job in this workspace.")
    return job
