"""``manage.py import_mlflow --from URL --as EMAIL``: another MLflow registry, brought in.

Killed or cut off, the same command goes on where it was. What could not be brought in, and why, is
printed at the end and stays on the page “Imports”.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from accounts.callers import Caller
from accounts.models import User, Workspace
from accounts.selectors import memberships_by_workspace, roles_of
from audit.actor import Actor
from common.errors import DomainError
from registry.importing import credentials
from registry.importing.source import Source, base_url
from registry.services import imports

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from registry.models import ImportRun

SHOWN = 50


class Command(BaseCommand):
    help = "Brings the models, versions, tags, aliases and stages of an MLflow registry in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="source", required=True, metavar="URL")
        parser.add_argument(
            "--as",
            dest="email",
            required=True,
            metavar="EMAIL",
            help="the person who brings it in: becomes the owner of new models and an author",
        )
        parser.add_argument("--workspace", help="its slug; needed where the person has several")
        credentials.add_arguments(parser)
        parser.add_argument("--all", action="store_true", help="print every line of the report")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            caller = _caller(options["email"], options["workspace"])
            source = Source(
                url=base_url(options["source"]),
                workspace=caller.workspace,
                headers=credentials.headers(token=options["token"], user=options["user"]),
            )
            run = imports.begin(caller=caller, source_url=options["source"])
            if run.cursor.get("model") or run.counts:
                self.stdout.write(f"going on with the import of {run.started_at:%Y-%m-%d %H:%M}")
            run = imports.carry_on(caller=caller, run=run, source=source, tell=self.stdout.write)
        except DomainError as error:
            raise CommandError(
                f"{error.message} What was brought in stays; the same command goes on."
            ) from error
        self._report(run, everything=options["all"])

    def _report(self, run: ImportRun, *, everything: bool) -> None:
        counts = run.counts
        self.stdout.write(
            ", ".join(
                f"{counts.get(name, 0):,} {name}"
                for name in ("models", "versions", "tags", "aliases", "stages", "metrics")
            )
        )
        lines = run.left_out if everything else run.left_out[:SHOWN]
        self.stdout.write(f"left out: {counts.get('left_out', 0):,}")
        for line in lines:
            self.stdout.write(f"  {line['what']}: {line['why']}")
        if len(lines) < len(run.left_out):
            self.stdout.write(f"  … and {len(run.left_out) - len(lines):,} more: add --all")


def _caller(email: str, slug: str | None) -> Caller:
    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active person {email}.")
    workspace = _workspace(slug, list(memberships_by_workspace(user)))
    actor = Actor(
        pid=user.pid,
        kind="user",
        label=str(user),
        workspace=workspace.slug,
        auth={"method": "command line"},
    )
    return Caller(workspace=workspace, actor=actor, user=user, roles=roles_of(user, workspace))


def _workspace(slug: str | None, held: list[Workspace]) -> Workspace:
    for workspace in held:
        if workspace.slug == slug or (slug is None and len(held) == 1):
            return workspace
    slugs = ", ".join(workspace.slug for workspace in held) or "none"
    raise CommandError(f"Name a workspace of this person with --workspace ({slugs}).")
