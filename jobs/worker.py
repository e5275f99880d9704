"""What every Celery worker does beside its tasks: dispatch, and notice when it has gone deaf.

A thread in the worker's main process. With beat dead, work is found a second later than by a
nudge; a worker that lives but no longer hears its queues (seen after a broker's restart) ends
itself, and its supervisor starts another.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import Any

from celery import bootsteps, signals
from django.conf import settings
from django.db import DatabaseError, connection, connections

from jobs import broker, conf
from jobs.registry import QUEUES
from jobs.services.dispatch import dispatch

logger = logging.getLogger(__name__)

EXIT_DEAF = 70
STOP_GRACE_S = 10.0

_SILENT = """
    SELECT queue FROM unnest(%s::text[]) AS queue
     WHERE NOT EXISTS (SELECT FROM jobs_queueping p WHERE p.queue = queue.queue
                       AND p.completed_at > clock_timestamp() - make_interval(secs => %s))
"""


class Listener:
    """Whether this worker hears anything: fed by every task it receives or is working on."""

    def __init__(self) -> None:
        self.heard_at = time.monotonic()

    def heard(self, **_: Any) -> None:
        self.heard_at = time.monotonic()

    def is_deaf(self, queues: tuple[str, ...], busy: bool) -> bool:
        """True when messages could come, none came, and a queue of ours is answered by nobody.

        A busy worker is not deaf, nor is one whose broker or database is down (a restart would
        not help), nor one beside others that do answer every queue.
        """
        limit = conf.deaf_after_s()
        if busy:
            self.heard()
            return False
        if time.monotonic() - self.heard_at < limit:
            return False
        if not silent_queues(queues, limit):
            return False
        if broker.waiting(queues) is None:
            self.heard()  # its broker is away: count afresh from its return
            return False
        return True


def silent_queues(queues: tuple[str, ...], seconds: float) -> list[str]:
    """The queues that completed no ping in the last ``seconds``."""
    with connection.cursor() as sql:
        sql.execute(_SILENT, [list(queues), seconds])
        return [row[0] for row in sql.fetchall()]


class DispatchStep(bootsteps.StartStopStep):
    """The thread's life follows the worker's."""

    requires = {"celery.worker.components:Pool"}

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None
        self.listener = Listener()

    def start(self, parent: Any) -> None:
        signals.task_received.connect(self.listener.heard, weak=False)
        self.thread = threading.Thread(
            target=self.loop, args=(parent,), name="jobs-dispatch", daemon=True
        )
        self.thread.start()

    def stop(self, parent: Any) -> None:
        self.stopping.set()
        signals.task_received.disconnect(self.listener.heard)
        if self.thread is not None:
            self.thread.join(timeout=5)

    terminate = stop

    def loop(self, parent: Any) -> None:
        """Until the worker stops: dispatch, and check our hearing now and then."""
        queues = tuple(name for name in QUEUES if name in parent.app.amqp.queues.consume_from)
        every_s = min(1.0, settings.JOB_DISPATCH_SECONDS)
        while not self.stopping.wait(every_s):
            try:
                dispatch(queues, every_s=every_s)
                deaf = self.listener.is_deaf(queues, bool(parent.state.reserved_requests))
            except DatabaseError as error:
                logger.warning("no dispatch, the database is away: %s", type(error).__name__)
                continue
            except Exception:
                # This thread has to outlive whatever one round of it meets.
                logger.exception("dispatch failed")
                continue
            finally:
                # A pool child forked meanwhile must not inherit a live connection.
                connections.close_all()
            if deaf:
                leave(self.stopping)


def leave(stopping: threading.Event) -> None:
    """End this worker: by a warm shut-down, and by force when that does not come through."""
    logger.critical("this worker hears no queue any more and ends itself")
    os.kill(os.getpid(), signal.SIGTERM)
    stopping.wait(STOP_GRACE_S)
    time.sleep(0.5)
    os._exit(EXIT_DEAF)
