"""Ringing the workers' door bell. Costs a second at most, never raises: the row is the truth."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from celery import Celery
from django.conf import settings
from kombu import Connection

logger = logging.getLogger(__name__)

TIMEOUT_S = 0.4
#: After a failure nobody rings for so long: fifty jobs asked for in one request cost one time-out.
QUIET_S = 2.0
#: A dispatcher adds no bells to a queue that already holds so many unanswered ones.
CROWDED = 50

_lock = threading.Lock()
_quiet_until = 0.0


def nudge(uid: str, queue: str) -> bool:
    """Tell the workers of ``queue`` that this job may run; False when nobody could be told."""
    return ring([("jobs.nudge", [uid], queue)]) == 1


def ring(bells: Iterable[tuple[str, list[Any], str]]) -> int:
    """Publish (task, arguments, queue) messages; how many got out. A dead broker ends it early."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return 0
    sent = 0
    try:
        with _connected() as connection:
            for task, arguments, queue in bells:
                publisher().send_task(
                    task,
                    args=arguments,
                    queue=queue,
                    connection=connection,
                    retry=False,
                    ignore_result=True,
                )
                sent += 1
    except Exception as error:
        # Whatever a broker library may raise: the job is safe in its row, a dispatcher finds it.
        with _lock:
            _quiet_until = time.monotonic() + QUIET_S
        logger.warning("the broker was not told of a job: %s", type(error).__name__)
    return sent


def waiting(queues: Iterable[str]) -> dict[str, int] | None:
    """How many messages each queue holds; None when the broker does not answer."""
    try:
        with _connected() as connection:
            client: Any = connection.default_channel.client  # type: ignore[attr-defined]  # Redis's
            return {queue: int(client.llen(queue)) for queue in queues}
    except Exception as error:
        logger.warning("the broker does not say how much waits: %s", type(error).__name__)
        return None


def forgive() -> None:
    """Forget the last failure; tests use it."""
    global _quiet_until
    _quiet_until = 0.0


@cache
def publisher() -> Celery:
    """A Celery application only to publish with: ``config`` is above us, its patience too long."""
    app = Celery("countersign-nudge", set_as_current=False)
    app.conf.update(
        broker_url=settings.CELERY_BROKER_URL,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
    )
    return app


@contextmanager
def _connected() -> Iterator[Connection]:
    connection = Connection(
        settings.CELERY_BROKER_URL,
        connect_timeout=TIMEOUT_S,
        transport_options={
            "socket_timeout": TIMEOUT_S,
            "socket_connect_timeout": TIMEOUT_S,
            "retry_on_timeout": False,
            "max_connections": 2,
            "max_retries": 0,
        },
    )
    try:
        yield connection
    finally:
        _close(connection)


def _close(connection: Connection) -> None:
    # A connection that cannot even be closed was reported already.
    with contextlib.suppress(Exception):
        connection.release()
