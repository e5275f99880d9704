"""The writes that end a claim. Each is one fenced UPDATE; True says that it was ours to make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from audit.actions import Action
from audit.actor import Actor
from audit.services.record import record
from jobs import registry
from jobs.models import Job
from jobs.services.claim import Claim, one_line

BACKOFF_CAP_S = 300.0

_END = """
    UPDATE jobs_job
       SET state = %(state)s,
           result = COALESCE(%(result)s::jsonb, result),
           cursor = COALESCE(%(cursor)s::jsonb, cursor),
           progress = COALESCE(%(progress)s, progress),
           message = COALESCE(%(message)s, message),
           error_code = %(error_code)s,
           error = %(error)s,
           attempts = %(attempts)s,
           lease_until = NULL,
           next_run_at = clock_timestamp() + make_interval(secs => %(after)s),
           finished_at = CASE WHEN %(over)s THEN clock_timestamp() END
     WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
"""


def succeed(claim: Claim, result: Mapping[str, Any], message: str) -> bool:
    """Done: the result is kept, the bar is full."""
    text = json.dumps(dict(result), allow_nan=False)
    return _end(claim, Job.State.SUCCEEDED, result=text, progress=1.0, message=message, attempts=0)


def go_on(
    claim: Claim,
    cursor: Mapping[str, Any],
    *,
    after_s: float,
    message: str,
    progress: float | None,
) -> bool:
    """More to do: back into the queue, with the attempts forgiven because it got somewhere."""
    return _end(
        claim,
        Job.State.QUEUED,
        cursor=json.dumps(dict(cursor), allow_nan=False),
        progress=None if progress is None else min(1.0, max(0.0, float(progress))),
        message=message or None,
        attempts=0,
        after_s=max(0.0, after_s),
    )


def cancel(claim: Claim) -> bool:
    """Ended because somebody asked for it."""
    return _end(claim, Job.State.CANCELLED, message="Cancelled.", attempts=claim.job.attempts)


def try_again(claim: Claim, message: str, code: str, after_s: float | None = None) -> bool:
    """Count a failed attempt: back into the queue after a while, or over when it was the last."""
    job = claim.job
    attempts = job.attempts + 1
    if attempts >= job.max_attempts:
        kind = registry.find_kind(job.kind)
        state = Job.State.FAILED if kind is None else Job.State(kind.exhausted)
        return give_up(claim, message, code, state=state, attempts=attempts)
    if after_s is None:
        after_s = backoff_s(attempts)
    return _end(
        claim,
        Job.State.QUEUED,
        error=message,
        error_code=code,
        attempts=attempts,
        after_s=max(0.0, after_s),
    )


def give_up(
    claim: Claim,
    message: str,
    code: str,
    *,
    state: Job.State = Job.State.FAILED,
    attempts: int | None = None,
) -> bool:
    """Over without a result; the trail is told in the same transaction."""
    job = claim.job
    with transaction.atomic():
        mine = _end(
            claim,
            state,
            error=message,
            error_code=code,
            attempts=job.attempts + 1 if attempts is None else attempts,
        )
        if mine:
            record_failure(job, code=code, state=state, fence=claim.fence)
    return mine


def record_failure(job: Job, *, code: str, state: str, fence: int) -> None:
    """The event of a job that ended without a result; the text stays out of the hashed body."""
    where = {"id": str(job.uid), "fence": fence}
    record(
        Action.JOB_FAILED,
        actor=Actor.system("jobs", workspace=job.workspace.slug, job=where),
        object_type="job",
        object_id=str(job.uid),
        object_name=job.title,
        workspace=job.workspace.slug,
        details={"kind": job.kind, "code": code, "state": str(state)},
    )


def backoff_s(attempts: int) -> float:
    """Seconds before attempt ``attempts`` + 1: doubled each time, five minutes at most."""
    return float(min(BACKOFF_CAP_S, settings.JOB_RETRY_SECONDS * 2 ** (attempts - 1)))


def _end(
    claim: Claim,
    state: Job.State,
    *,
    result: str | None = None,
    cursor: str | None = None,
    progress: float | None = None,
    message: str | None = None,
    error: str = "",
    error_code: str = "",
    attempts: int,
    after_s: float = 0.0,
) -> bool:
    with connection.cursor() as sql:
        sql.execute(
            _END,
            {
                "state": str(state),
                "result": result,
                "cursor": cursor,
                "progress": progress,
                "message": None if message is None else one_line(message, 500),
                "error_code": one_line(error_code, 64),
                "error": error.replace("\x00", "")[:4000],
                "attempts": attempts,
                "after": after_s,
                "over": state in Job.TERMINAL,
                "id": claim.job.pk,
                "fence": claim.fence,
            },
        )
        return bool(sql.rowcount == 1)
