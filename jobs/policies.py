"""Who may end or repeat a job, as an answer to *why not*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.roles import Capability, Scope
from common.errors import NotAllowed

if TYPE_CHECKING:
    from accounts.callers import Caller
    from jobs.models import Job

_READING = frozenset({Scope.READ, Scope.AUDIT_READ, Scope.METRICS})


def why_not_change(caller: Caller, job: Job) -> str | None:
    """None when the caller may cancel or retry the job: operators may, and who asked for it."""
    if caller.may(Capability.ROLLOUT_OPERATE):
        return None
    if job.created_by_pid != caller.actor.pid:
        return "Only operators, administrators and whoever asked for this job may do that."
    if caller.scopes is not None and not caller.scopes - _READING:
        return "This token may only read."
    return None


def insist_may_change(caller: Caller, job: Job) -> None:
    """Raises: NotAllowed."""
    if (reason := why_not_change(caller, job)) is not None:
        raise NotAllowed(reason, code="not_your_job")
