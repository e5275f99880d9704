"""Claim a job, call its handler, write what came of it. Called by workers, and by tests at once."""

from __future__ import annotations

import logging
import time
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from common.errors import DomainError
from jobs import errors, registry
from jobs.models import Job
from jobs.registry import Continue, Done
from jobs.services import finish, reap
from jobs.services.announce import announce
from jobs.services.claim import Claim, claim_job, claim_next

logger = logging.getLogger(__name__)


def claim_and_run(uid: UUID | str) -> Job | None:
    """Run this job once if it can be claimed; the row afterwards, or None when it could not be."""
    claim = claim_job(uid)
    return None if claim is None else run(claim)


def run(claim: Claim) -> Job:
    """One claim, from handler to the fenced write of its outcome."""
    job = claim.job
    logger.info("job %s %s: claimed, fence %d", job.kind, job.uid, claim.fence)
    try:
        _work(claim)
    except errors.LeaseLost:
        # Another holder writes the outcome; anything more from here would be a zombie's.
        logger.warning("job %s %s: lease lost under fence %d", job.kind, job.uid, claim.fence)
    except (OperationalError, InterfaceError):
        # The database went away under us. The reaper finds the job when the lease is over.
        logger.exception("job %s %s: outcome not written", job.kind, job.uid)
        if not connection.in_atomic_block:
            connection.close()
        return job
    job.refresh_from_db()
    if job.is_terminal and job.fence == claim.fence:
        announce(job)
    return job


def run_until_idle(max_s: float = 10.0) -> int:
    """Run what is due, and what falls due meanwhile, in this process; how many claims that took.

    For tests and commands. Returns when nothing is left to wait for, or after ``max_s`` seconds.
    """
    deadline = time.monotonic() + max_s
    claims = 0
    while time.monotonic() < deadline:
        reap.reap()
        claim = claim_next(registry.QUEUES)
        if claim is not None:
            run(claim)
            claims += 1
            continue
        if not Job.objects.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists():
            break
        time.sleep(0.02)  # somebody else runs one, or one waits for its next_run_at
    return claims


def _work(claim: Claim) -> None:
    """Call the handler and write its outcome; LeaseLost when it was no longer ours to write."""
    job = claim.job
    kind = registry.find_kind(job.kind)
    if kind is None:
        _insist(finish.try_again(claim, f"No handler for “{job.kind}” here.", "unknown_kind"))
        return
    if kind.cancelling == "anytime" and job.cancel_requested:
        _insist(finish.cancel(claim))
        return
    try:
        outcome = kind.handler(job, claim)
        _write(claim, kind, outcome)
    except errors.LeaseLost:
        raise
    except errors.Cancelled:
        _insist(finish.cancel(claim))
    except errors.Retry as wish:
        _insist(finish.try_again(claim, wish.message, wish.code, wish.after_s))
    except errors.NeedsOperator as stop:
        state = Job.State.NEEDS_OPERATOR
        _insist(finish.give_up(claim, stop.message, stop.code, state=state))
    except errors.Fail as failure:
        _insist(finish.give_up(claim, failure.message, failure.code))
    except DomainError as refusal:
        _insist(finish.give_up(claim, refusal.message, refusal.code))
    except Exception as error:
        # A handler's bug or a fault it did not foresee: seen in the log, counted, tried again.
        logger.exception("job %s %s: handler raised", job.kind, job.uid)
        _insist(_after_crash(claim, error))


def _write(claim: Claim, kind: registry.Kind, outcome: object) -> None:
    if isinstance(outcome, Done):
        _insist(finish.succeed(claim, outcome.result, outcome.message))
        return
    if not isinstance(outcome, Continue):
        raise TypeError(f"{kind.name} returned {type(outcome).__name__}, not Done or Continue")
    if kind.cancelling == "anytime" and claim.cancel_requested():
        _insist(finish.cancel(claim))
        return
    _insist(
        finish.go_on(
            claim,
            outcome.cursor,
            after_s=outcome.after_s,
            message=outcome.message,
            progress=outcome.progress,
        )
    )


def _after_crash(claim: Claim, error: Exception) -> bool:
    if isinstance(error, DatabaseError) and not connection.in_atomic_block:
        connection.close()  # whatever state it is in, the next statement begins afresh
    # The type only: an exception's text may quote what the work was about.
    message = f"Unexpected {type(error).__name__}; the worker's log has the details."
    return finish.try_again(claim, message, "unexpected_error")


def _insist(mine: bool) -> None:
    if not mine:
        raise errors.LeaseLost
