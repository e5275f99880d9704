"""``manage.py gateway_agent``: runs the agent beside an Envoy."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from delivery.agent.apply import Applier
from delivery.agent.control import Control
from delivery.agent.run import Agent


class Command(BaseCommand):
    help = "Feeds one Envoy with the routes that Countersign approved, and reports its counters."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("gateway", help="the gateway's id")
        parser.add_argument("--control", required=True, help="Countersign's base URL")
        parser.add_argument("--folder", required=True, type=Path, help="where Envoy watches")
        parser.add_argument("--admin-port", required=True, type=int)
        parser.add_argument("--log", type=Path, help="Envoy's log file, for its reasons")

    def handle(self, *args: Any, **options: Any) -> None:
        # In the environment, so that `ps` shows nobody the token.
        token = os.environ.get("GATEWAY_TOKEN", "")
        if not token:
            raise CommandError("GATEWAY_TOKEN must hold a token with the scope “gateway”.")
        agent = Agent(
            control=Control(options["control"], options["gateway"], token),
            applier=Applier(options["folder"], options["admin_port"], options["log"]),
        )
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: agent.end())
        agent.run()
