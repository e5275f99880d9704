"""``manage.py audit_verify [EXPORT.zip]``: exit 0 when the trail is intact, 1 when it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from audit.actions import Action
from audit.actor import Actor
from audit.services import verify
from audit.services.record import record


class Command(BaseCommand):
    """Prints what was checked, every problem, and one sentence."""

    help = "Checks the audit trail in the database, or an export of it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("export", nargs="?", type=Path, metavar="EXPORT.zip")
        parser.add_argument(
            "--key", metavar="FINGERPRINT", help="of the signing key, from somewhere else: sha256:…"
        )
        parser.add_argument(
            "--checkpoint", type=Path, metavar="FILE", help="a signed checkpoint that you kept"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        export: Path | None = options["export"]
        try:
            kept = options["checkpoint"].read_text() if options["checkpoint"] else None
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"cannot read the checkpoint: {error}") from error
        if export is None:
            report = verify.verify_database(key=options["key"], checkpoint=kept)
            self._remember(report)
        else:
            report = verify.verify_export(export, key=options["key"], checkpoint=kept)
        self._print(report)
        if not report.ok:
            raise SystemExit(1)

    def _print(self, report: verify.Report) -> None:
        if report.origin:
            self.stdout.write(f"log       {report.origin}")
            self.stdout.write(
                f"checked   {report.events} events, {report.checkpoints} signed checkpoints"
            )
        for fingerprint in report.keys:
            self.stdout.write(f"key       {fingerprint}")
        for line in report.notes:
            self.stdout.write(f"note      {line}")
        for line in report.problems:
            self.stdout.write(f"problem   {line}")
        self.stdout.write(report.sentence)

    def _remember(self, report: verify.Report) -> None:
        with transaction.atomic():
            record(
                Action.AUDIT_VERIFIED,
                actor=Actor.system("audit_verify"),
                object_type="audit",
                object_id=report.origin or "-",
                object_name="the audit trail",
                details={
                    "ok": report.ok,
                    "events": report.events,
                    "checkpoints": report.checkpoints,
                    "problems": report.problems,
                },
            )
