"""Read every stored file and compare it with its digest: after a restore, or each quarter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.errors import Unavailable
from registry.artifacts import content
from registry.artifacts.content import Checked, ContentDiffers
from registry.models import Artifact, Dataset


class Command(BaseCommand):
    help = "Compare the stored files of artifacts and datasets with their digests."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--quick", action="store_true", help="only whether they are there, with their size"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = total = 0
        for name, sha256, what in _files():
            total += 1
            reason = _why_not(name, sha256, quick=options["quick"])
            if reason is not None:
                wrong += 1
                self.stdout.write(f"{what}: {name}: {reason}")
        if wrong:
            raise CommandError(f"{wrong} of {total} files are missing or damaged.")
        self.stdout.write(f"{total} files are what their digests say.")


def _files() -> Iterator[tuple[str, str, str]]:
    """Name, digest and owner of each stored file, each once."""
    seen: set[str] = set()
    for artifact in Artifact.objects.order_by("pk").iterator():
        if artifact.storage_name not in seen:
            seen.add(artifact.storage_name)
            yield artifact.storage_name, artifact.sha256, f"artifact {artifact.sha256[:12]}"
    for dataset in Dataset.objects.order_by("pk").iterator():
        for name, digest in (
            (dataset.storage_name, dataset.digest),
            (dataset.table_name, dataset.table_digest),
        ):
            if name and name not in seen:
                seen.add(name)
                yield name, digest.rpartition(":")[2], f"dataset {dataset.name}"


def _why_not(name: str, sha256: str, *, quick: bool) -> str | None:
    try:
        size = default_storage.size(name)
        if quick:
            return None if size else "it is empty"
        Checked(content.pieces(name, 0, size), size=size, sha256=sha256).drain()
    except FileNotFoundError:
        return "it is missing"
    except ContentDiffers as error:
        return error.message
    except (OSError, Unavailable) as error:
        return f"it cannot be read ({error})"
    return None
