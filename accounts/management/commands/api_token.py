"""``manage.py api_token EMAIL|SERVICE --scope S… --days N``: a token, printed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from accounts.callers import Caller
from accounts.models import ServiceAccount, User, Workspace
from accounts.roles import Scope
from accounts.selectors import memberships_by_workspace
from accounts.services import tokens
from common.errors import DomainError

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Makes an API token for a person (by e-mail) or a service account (by name)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("holder", help="a person's e-mail, or a service account's name")
        parser.add_argument(
            "--scope",
            nargs="+",
            action="extend",
            required=True,
            choices=[scope.value for scope in Scope],
            metavar="SCOPE",
            help=f"one or more of: {', '.join(Scope)}",
        )
        parser.add_argument("--days", type=int, default=30, help="1 to 90 (30)")
        parser.add_argument("--workspace", help="its slug; needed where there are several")
        parser.add_argument("--name", default="made on the command line")

    def handle(self, *args: Any, **options: Any) -> None:
        if "@" in options["holder"]:
            user, service = self._person(options["holder"]), None
            workspace = self._workspace(options["workspace"], list(memberships_by_workspace(user)))
        else:
            user = None
            service = self._service(options["holder"], options["workspace"])
            workspace = service.workspace
        try:
            token, text = tokens.create(
                workspace=workspace,
                user=user,
                service_account=service,
                name=options["name"],
                scopes=options["scope"],
                days=options["days"],
                caller=Caller.system("command line", workspace),
            )
        except DomainError as error:
            reasons = "; ".join(" ".join(texts) for texts in error.fields.values())
            raise CommandError(f"{error.message} {reasons}".strip()) from error
        self.stderr.write(f"valid in {workspace.slug} until {token.expires_at:%Y-%m-%d %H:%M} UTC:")
        self.stdout.write(text)

    def _person(self, email: str) -> User:
        user = User.objects.filter(email__iexact=email, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active person {email}.")
        return user

    def _service(self, name: str, slug: str | None) -> ServiceAccount:
        found = ServiceAccount.objects.select_related("workspace").filter(name=name)
        if slug:
            found = found.filter(workspace__slug=slug)
        accounts = list(found[:2])
        if not accounts:
            raise CommandError(f"There is no service account “{name}”.")
        if len(accounts) > 1:
            raise CommandError("Several workspaces have one of this name: add --workspace.")
        return accounts[0]

    def _workspace(self, slug: str | None, held: list[Workspace]) -> Workspace:
        for workspace in held:
            if workspace.slug == slug or (slug is None and len(held) == 1):
                return workspace
        slugs = ", ".join(workspace.slug for workspace in held) or "none"
        raise CommandError(f"Name a workspace of this person with --workspace ({slugs}).")
