"""Jobs as pages, the API and the workers read them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Min, QuerySet
from django.db.models.functions import Now

from jobs.errors import JobNotFound
from jobs.models import Job

if TYPE_CHECKING:
    from accounts.models import Workspace

UNFINISHED = (Job.State.QUEUED, Job.State.RUNNING)
GONE_WRONG = (Job.State.FAILED, Job.State.NEEDS_OPERATOR)


def jobs_for(workspace: Workspace) -> QuerySet[Job]:
    """Every job of the workspace, the newest first."""
    return Job.objects.filter(workspace=workspace).order_by("-pk")


def get_job(workspace: Workspace, uid: UUID | str) -> Job:
    """Raises: JobNotFound."""
    job = jobs_for(workspace).select_related("workspace").filter(uid=uid).first()
    if job is None:
        raise JobNotFound("There is no such job in this workspace.")
    return job


def due(queues: tuple[str, ...], limit: int) -> list[tuple[str, str]]:
    """(uid, queue) of the jobs that could be claimed now, the longest waiting first."""
    rows = Job.objects.filter(
        state=Job.State.QUEUED, next_run_at__lte=Now(), queue__in=queues
    ).order_by("next_run_at", "pk")
    return [(str(uid), queue) for uid, queue in rows.values_list("uid", "queue")[:limit]]


def oldest_due_age() -> timedelta | None:
    """How long the longest-waiting claimable job has waited; None when nothing waits."""
    row = Job.objects.filter(state=Job.State.QUEUED, next_run_at__lte=Now()).aggregate(
        age=Now() - Min("next_run_at")
    )
    age: timedelta | None = row["age"]
    return age
