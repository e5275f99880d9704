"""The Celery tasks: a thin door. A lost, late or doubled message changes nothing."""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import connection

from jobs import broker, schedules, selectors
from jobs.services.dispatch import dispatch as dispatch_now
from jobs.services.run import claim_and_run

logger = logging.getLogger(__name__)

_PING = """
    INSERT INTO jobs_queueping (queue, completed_at) VALUES (%s, clock_timestamp())
    ON CONFLICT (queue) DO UPDATE SET completed_at = EXCLUDED.completed_at
"""


@shared_task(name="jobs.nudge", ignore_result=True, acks_late=True)
def nudge(uid: str) -> None:
    """Try to run one job; then ring for the next of its queue, so that work flows without beat."""
    job = claim_and_run(uid)
    if job is None:
        return
    if waiting := selectors.due((job.queue,), 1):
        broker.nudge(*waiting[0])


@shared_task(name="jobs.dispatch", ignore_result=True)
def dispatch() -> None:
    """Beat's turn to look for what could run."""
    dispatch_now()


@shared_task(name="jobs.periodic", ignore_result=True)
def periodic(name: str) -> None:
    """Run one schedule's present slot, unless somebody has."""
    schedules.run(name)


@shared_task(name="jobs.ping", ignore_result=True)
def ping(queue: str) -> None:
    """Prove that this queue is heard, end to end: broker, worker, database."""
    with connection.cursor() as sql:
        sql.execute(_PING, [queue])
