"""``manage.py audit_export FILE.zip``: the whole trail, or one workspace's part of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from audit.actions import Action
from audit.actor import Actor
from audit.errors import NothingSealed
from audit.services import export
from audit.services.record import record


class Command(BaseCommand):
    """Appears under its name only when it is whole."""

    help = "Exports the audit trail as a zip that anybody can verify."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.zip")
        parser.add_argument("--workspace", metavar="SLUG", help="only this workspace, with proofs")

    def handle(self, *args: Any, file: Path, workspace: str | None, **options: Any) -> None:
        with transaction.atomic():
            record(
                Action.EXPORT_MADE,
                actor=Actor.system("audit_export", workspace=workspace or ""),
                object_type="audit",
                object_id=workspace or "*",
                object_name="the audit trail",
                details={"kind": "workspace" if workspace else "whole"},
            )
        unfinished = file.with_name(f".{file.name}.part")
        try:
            with unfinished.open("wb") as out:
                unfinished.chmod(0o600)
                export.write_export(out, workspace=workspace)
            unfinished.replace(file)
        except NothingSealed as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"cannot write {file}: {error}") from error
        finally:
            unfinished.unlink(missing_ok=True)
        self.stdout.write(f"{file}: {file.stat().st_size} bytes")
