"""``manage.py embedded up|down|status``: PostgreSQL, Redis and Envoy from wheels."""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from embedded import EmbeddedError, cli


class Command(BaseCommand):
    """Start, stop or show the embedded services; needs no database and no settings of one."""

    help = "Start, stop or show the embedded PostgreSQL, Redis and Envoy."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        cli.add_arguments(parser)
        # The settings also know what .env says; ``python -m embedded`` knows the environment only.
        parser.set_defaults(var_dir=settings.VAR_DIR, port=settings.ENV.port)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            status = cli.run(Namespace(**options), self.stdout)  # type: ignore[arg-type]
        except EmbeddedError as error:
            raise CommandError(str(error)) from error
        if status:
            sys.exit(status)
