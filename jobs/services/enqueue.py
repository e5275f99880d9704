"""Asking for work: a row in the caller's transaction, and a door bell after its commit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from common.commit import after_commit
from jobs import broker, registry
from jobs.models import Job

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import Workspace


def enqueue(
    kind: str,
    *,
    workspace: Workspace,
    title: str,
    payload: Mapping[str, Any],
    caller: Caller | None,
    dedupe_key: str | None = None,
    run_after: datetime | None = None,
) -> Job:
    """Ask for one piece of work; it exists when the caller's transaction commits, or not at all.

    With a ``dedupe_key`` (at most 200 characters) the unfinished job of that key is returned
    instead of a second one. The nudge after the commit costs at most a second and never raises.

    Raises: UnknownKind, when no handler is registered.
    """
    known = registry.kind_of(kind)
    wanted = Job(
        workspace=workspace,
        kind=kind,
        queue=known.queue,
        title=title[:300],
        payload=dict(payload),
        dedupe_key=dedupe_key,
        max_attempts=known.max_attempts,
        created_by_pid=caller.actor.pid if caller else "",
        created_by_label=caller.label[:200] if caller else "",
    )
    if run_after is not None:
        wanted.next_run_at = run_after
    job = _insert(wanted)
    if run_after is None:
        after_commit(broker.nudge, str(job.uid), job.queue)
    return job


def _insert(wanted: Job) -> Job:
    if wanted.dedupe_key is None:
        wanted.save(force_insert=True)
        return wanted
    unfinished = Job.objects.filter(
        workspace=wanted.workspace,
        dedupe_key=wanted.dedupe_key,
        state__in=[Job.State.QUEUED, Job.State.RUNNING],
    )
    for _ in range(5):
        if (known := unfinished.first()) is not None:
            return known
        try:
            with transaction.atomic():
                wanted.pk = None
                wanted.save(force_insert=True)
        except IntegrityError:
            # Somebody was quicker. It may even have finished meanwhile, so look again.
            continue
        return wanted
    raise RuntimeError(f"no job could be made for the key {wanted.dedupe_key!r}")
