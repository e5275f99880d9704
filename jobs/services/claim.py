"""Taking a job, and writing under its fence. Only the database's clock counts."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from accounts.callers import Caller
from jobs.errors import Cancelled, LeaseLost
from jobs.models import Job

_CLAIM = """
    UPDATE jobs_job
       SET state = 'running',
           fence = nextval('jobs_fence_seq'),
           lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
           claims = claims + 1,
           started_at = COALESCE(started_at, clock_timestamp())
     WHERE id = (SELECT id FROM jobs_job
                  WHERE state = 'queued' AND next_run_at <= clock_timestamp() AND {which}
                  ORDER BY next_run_at, id
                  LIMIT 1
                    FOR UPDATE SKIP LOCKED)
    RETURNING id, fence
"""
_ONE = _CLAIM.format(which="uid = %(uid)s")
_NEXT = _CLAIM.format(which="queue = ANY(%(queues)s)")

_SAVE = """
    UPDATE jobs_job
       SET cursor = COALESCE(%(cursor)s::jsonb, cursor),
           progress = COALESCE(%(progress)s, progress),
           message = COALESCE(%(message)s, message),
           lease_until = GREATEST(
               lease_until, clock_timestamp() + make_interval(secs => %(lease)s))
     WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
    RETURNING cancel_requested
"""


@dataclass(slots=True)
class Claim:
    """The right to work on one job, until its lease ends or somebody else takes it over.

    Attributes:
        job: the row as it was claimed; ``save`` keeps its cursor, progress and message current.
        fence: larger than every earlier claim's, of any job.
        deadline: ``time.monotonic()`` at which the handler should have returned.
    """

    job: Job
    fence: int
    deadline: float = field(
        default_factory=lambda: time.monotonic() + settings.JOB_HANDLER_BUDGET_SECONDS
    )

    def remaining_s(self) -> float:
        """Seconds left of this claim's budget, not below 0."""
        return max(0.0, self.deadline - time.monotonic())

    def save(
        self,
        *,
        cursor: Mapping[str, Any] | None = None,
        progress: float | None = None,
        message: str | None = None,
    ) -> None:
        """Write where the work stands and extend the lease; inside a transaction it is part of it.

        Raises: LeaseLost, having written nothing.
        """
        if progress is not None:
            progress = min(1.0, max(0.0, float(progress)))
        if message is not None:
            message = one_line(message, 500)
        with connection.cursor() as sql:
            sql.execute(
                _SAVE,
                {
                    "cursor": None if cursor is None else json.dumps(cursor, allow_nan=False),
                    "progress": progress,
                    "message": message,
                    "lease": settings.JOB_LEASE_SECONDS,
                    "id": self.job.pk,
                    "fence": self.fence,
                },
            )
            row = sql.fetchone()
        if row is None:
            raise LeaseLost(f"{self.job} is no longer held under fence {self.fence}")
        self.job.cancel_requested = row[0]
        if cursor is not None:
            self.job.cursor = dict(cursor)
        if progress is not None:
            self.job.progress = progress
        if message is not None:
            self.job.message = message

    def insist_mine(self) -> None:
        """Lock the job's row to the end of this transaction, in which the work is then written.

        While it is locked nobody can take the job over, so what is written beside it is written
        by its holder, or not at all.

        Raises: LeaseLost; TransactionManagementError outside a transaction.
        """
        rows = (
            Job.objects.select_for_update()
            .filter(pk=self.job.pk, fence=self.fence, state=Job.State.RUNNING)
            .values_list("cancel_requested", flat=True)
        )
        held = list(rows)
        if not held:
            raise LeaseLost(f"{self.job} is no longer held under fence {self.fence}")
        self.job.cancel_requested = held[0]

    def cancel_requested(self) -> bool:
        """Whether somebody wants it cancelled, asked of the database now. Raises: LeaseLost."""
        rows = Job.objects.filter(pk=self.job.pk, fence=self.fence, state=Job.State.RUNNING)
        found = rows.values_list("cancel_requested", flat=True).first()
        if found is None:
            raise LeaseLost(f"{self.job} is no longer held under fence {self.fence}")
        self.job.cancel_requested = found
        return found

    def stop_if_cancelled(self) -> None:
        """Raises: Cancelled, when somebody asked for it; the runner then ends the job."""
        if self.cancel_requested():
            raise Cancelled

    def caller(self, name: str) -> Caller:
        """Ourselves as ``name``, acting through this job: what services and the trail get."""
        return Caller.system(
            name, self.job.workspace, job={"id": str(self.job.uid), "fence": self.fence}
        )


def claim_job(uid: UUID | str) -> Claim | None:
    """Take this job if it is due and nobody has it; None otherwise. Never waits for a lock."""
    return _take(_ONE, {"uid": str(uid)})


def claim_next(queues: tuple[str, ...]) -> Claim | None:
    """Take the job of these queues that has been due the longest; None when there is none."""
    return _take(_NEXT, {"queues": list(queues)})


def _take(statement: str, values: dict[str, Any]) -> Claim | None:
    with transaction.atomic(), connection.cursor() as sql:
        sql.execute(statement, {**values, "lease": settings.JOB_LEASE_SECONDS})
        row = sql.fetchone()
        if row is None:
            return None
        job = Job.objects.select_related("workspace").get(pk=row[0])
    return Claim(job=job, fence=row[1])


def one_line(text: str, limit: int) -> str:
    """Text that PostgreSQL and a single line on a page can hold."""
    return " ".join(text.replace("\x00", "").split())[:limit]
