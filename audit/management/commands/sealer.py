"""``manage.py sealer``: seal what is recorded, every half second, until told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, InterfaceError, connection

from audit import keys
from audit.errors import TrailBroken
from audit.services import seal

logger = logging.getLogger(__name__)

#: After a broken trail or a lost database: seconds until it is tried, and said, again.
PAUSE_S = 5.0


class Command(BaseCommand):
    """Runs as cs_sealer on a direct connection: its lock lives as long as its session does."""

    help = "Seals the audit trail. Any number may run: one seals, the others stand by."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="seal what is pending, then end")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        keys.signing_key()  # a missing key is better heard of now than at the first event
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        if once:
            self.stdout.write(f"sealed {self._drain(stop)} events")
            return
        self._run(stop)
        connection.close()
        logger.info("sealer stopped")

    def _run(self, stop: threading.Event) -> None:
        is_leader = False
        while not stop.is_set():
            pause = settings.SEALER_POLL_SECONDS
            try:
                if not is_leader and (is_leader := seal.try_lock_session()):
                    logger.info("sealer has the lock")
                if is_leader:
                    self._drain(stop)
            except TrailBroken as error:
                logger.critical("sealing has stopped, the audit trail is not intact: %s", error)
                pause = PAUSE_S
            except (DatabaseError, InterfaceError) as error:
                # The lock went with the session; whoever is quicker takes it.
                logger.warning("sealer lost its database: %s", error)
                connection.close()
                is_leader, pause = False, PAUSE_S
            stop.wait(pause)

    def _drain(self, stop: threading.Event) -> int:
        total = 0
        while not stop.is_set():
            count = seal.seal_once()
            total += count
            if count < seal.BATCH:
                break
        if total:
            logger.info("sealed %d events", total)
        return total
