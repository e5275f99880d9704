"""The gateway agent: one small process beside each Envoy.

One thread long-polls for configurations and applies them, the other posts counters. When
Countersign is away, both only wait: the gateway goes on serving what it has (DESIGN promise 11).
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

from delivery.agent import envoy_admin
from delivery.agent.apply import Applier, Refused
from delivery.agent.control import Control, ControlUnreachable

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Agent:
    """Both loops, until ``stop`` is set."""

    control: Control
    applier: Applier
    poll_wait_s: int = 10
    report_every_s: float = 0.5
    retry_s: float = 1.0
    stop: threading.Event = field(default_factory=threading.Event)
    refused_revision: int = 0
    refused_reason: str = ""

    def run(self) -> None:
        reporter = threading.Thread(target=self._report_loop, name="report", daemon=True)
        reporter.start()
        self._config_loop()
        reporter.join(timeout=5)

    def end(self) -> None:
        """Stop soon; what is being applied is finished first."""
        self.stop.set()
        self.control.hang_up()

    def _config_loop(self) -> None:
        while not self.stop.is_set():
            asked_at = time.monotonic()
            try:
                config = self.control.poll(wait_s=self.poll_wait_s)
            except ControlUnreachable as error:
                if not self.stop.is_set():
                    logger.warning("no configuration: %s", error)
                self.stop.wait(self.retry_s)
                continue
            if config is None:
                if time.monotonic() - asked_at < self.retry_s:
                    self.stop.wait(self.retry_s)  # it had no seat for us: do not ask in a hurry
                continue
            revision = config["revision"]
            try:
                self.applier.apply(config)
                logger.info("gateway serves revision %d", revision)
            except Refused as error:
                logger.error("gateway refused revision %d: %s", revision, error)
                self.refused_revision, self.refused_reason = revision, str(error)
            except envoy_admin.AdminUnreachable as error:
                # Ask again from the start: whatever Envoy does at its return, we shall see it.
                logger.warning("envoy is away: %s", error)
                self.control.etag = ""
                self.stop.wait(self.retry_s)
            except OSError as error:
                logger.error("cannot write the gateway's files: %s", error)
                self.control.etag = ""
                self.stop.wait(self.retry_s)

    def _report_loop(self) -> None:
        while not self.stop.wait(self.report_every_s):
            try:
                reading = envoy_admin.read(self.applier.admin_port)
                self.control.report(
                    {
                        "applied_revision": self.applier.applied_revision(reading),
                        "refused_revision": self.refused_revision,
                        "refused_reason": self.refused_reason,
                        "counters": reading.clusters,
                    }
                )
            except (ControlUnreachable, envoy_admin.AdminUnreachable) as error:
                logger.warning("no report: %s", error)
                self.stop.wait(self.retry_s)
            except Exception:
                # A thread that died here would leave the gateway unwatched and nobody would know.
                logger.exception("no report")
                self.stop.wait(self.retry_s)
