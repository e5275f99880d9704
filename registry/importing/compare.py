"""What another registry holds that nobody registered here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from common.errors import DomainError, Invalid
from registry.importing.content import BadAnswer
from registry.importing.source import NotThere, Refused, Source
from registry.models import ModelVersion, RegisteredModel


@dataclass(frozen=True, slots=True)
class Found:
    """Something that runs or is kept elsewhere and is unknown here; ``kind`` is a word of ours."""

    kind: str
    name: str
    where: str
    detail: str = ""


def unregistered(source: Source) -> Iterator[Found]:
    """Models and versions by name and number. A registry that cannot be read is a finding too."""
    try:
        for prompts in (False, True):
            yield from _part(source, prompts=prompts)
    except DomainError as error:
        yield Found("unreadable", source.url, source.url, error.message)


def _part(source: Source, *, prompts: bool) -> Iterator[Found]:
    kind = "prompt" if prompts else "model"
    token = ""
    while True:
        try:
            page, token = source.models_page(prompts=prompts, token=token)
        except (Refused, NotThere):
            if prompts:  # an older server, which knows no prompts
                return
            raise
        known = set(
            RegisteredModel.objects.filter(
                workspace=source.workspace,
                name__in=[model.name.replace("\x00", "") for model in page],
                deleted_at=None,
            ).values_list("name", flat=True)
        )
        for model in page:
            try:
                numbers = [it.number for it in source.versions(model.name, prompts=prompts)]
            except (Invalid, NotThere, Refused, BadAnswer) as error:
                yield Found("unreadable", model.name, source.url, error.message)
                continue
            if model.name not in known:
                yield Found(kind, model.name, source.url, f"{len(numbers)} versions")
                continue
            here = ModelVersion.objects.filter(
                workspace=source.workspace, model__name=model.name, model__deleted_at=None
            ).values_list("number", flat=True)
            for number in sorted(set(numbers) - set(here)):
                yield Found("version", f"{model.name} {number}", source.url)
        if not token:
            return
