"""Who may do what with jobs. Whose job it is decides the rest (``jobs.policies``)."""

from __future__ import annotations

from typing import Any

from accounts.roles import Capability
from tests.factories.jobs import JobFactory
from tests.permissions import Row


def a_job(workspace: Any) -> dict[str, Any]:
    return {"uid": JobFactory(workspace=workspace).uid}


def a_failed_job(workspace: Any) -> dict[str, Any]:
    from django.utils import timezone

    job = JobFactory(workspace=workspace, state="failed", finished_at=timezone.now())
    return {"uid": job.uid}


ROWS = [
    Row("jobs:list", {"get": Capability.VIEW}),
    Row("jobs:live", {"get": Capability.VIEW}),
    Row("jobs:progress", {"get": Capability.VIEW}, a_job),
    Row("jobs:cancel", {"post": Capability.ROLLOUT_OPERATE}, a_job),
    Row("jobs:retry", {"post": Capability.ROLLOUT_OPERATE}, a_failed_job),
    Row("v1:job-list", {"get": Capability.VIEW}),
    Row("v1:job-detail", {"get": Capability.VIEW}, a_job),
    Row("v1:job-cancel", {"post": Capability.VIEW}, a_job),
    Row("v1:job-retry", {"post": Capability.VIEW}, a_failed_job),
]
