"""``manage.py discover``: models, versions and servers out there that nobody registered here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Workspace
from common.errors import DomainError
from registry.importing import credentials
from registry.importing.compare import Found, unregistered
from registry.importing.source import Source, base_url
from registry.models import ImportRun
from serving.services.discover import places_of, unregistered_servers

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Lists what registries and the allow-list's hosts serve that nobody registered here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--registry",
            action="append",
            default=[],
            metavar="URL",
            help="an MLflow registry to compare with, again for more; "
            "without it, those that were imported from",
        )
        parser.add_argument("--workspace", help="its slug; needed where there are several")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        credentials.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = _workspace(options["workspace"])
        headers = credentials.headers(token=options["token"], user=options["user"])
        try:
            urls = [base_url(url) for url in options["registry"]] or _imported_from(workspace)
        except DomainError as error:
            raise CommandError(error.message) from error
        count = 0
        for found in _everything(workspace, urls, headers):
            count += 1
            if options["json"]:
                self.stdout.write(json.dumps(asdict(found), ensure_ascii=False))
            else:
                detail = f" ({found.detail})" if found.detail else ""
                self.stdout.write(f"{found.kind}: {found.name}{detail}, at {found.where}")
        if not options["json"]:
            asked = ", ".join(urls) or "no registry"
            self.stdout.write(f"{count} found; asked {asked} and the allow-list")


def _everything(workspace: Workspace, urls: list[str], headers: dict[str, str]) -> Iterator[Found]:
    for url in urls:
        yield from unregistered(Source(url=url, workspace=workspace, headers=headers))
    known = frozenset(place for url in urls for place in places_of(url))
    yield from unregistered_servers(workspace, known_registries=known)


def _imported_from(workspace: Workspace) -> list[str]:
    runs = ImportRun.objects.filter(workspace=workspace).order_by("source_url")
    return list(runs.values_list("source_url", flat=True).distinct())


def _workspace(slug: str | None) -> Workspace:
    found = list(Workspace.objects.filter(slug=slug) if slug else Workspace.objects.all()[:2])
    if len(found) != 1:
        slugs = ", ".join(Workspace.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(f"Name a workspace with --workspace ({slugs}).")
    return found[0]
