"""What the registry asks of apps above it, which register the answer in ``apps.ready()``.

May a protected alias move? While nobody has registered a guard, the answer is no. And what else
should the inventory say about a model? While nobody has registered a part, nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import Workspace
    from registry.models import ModelVersion, RegisteredModel


class AliasGuard(Protocol):
    """Who knows which approval or rollout stands behind a reference."""

    def why_not_move(
        self,
        *,
        model: RegisteredModel,
        name: str,
        version: ModelVersion | None,
        reference: str,
        caller: Caller,
    ) -> str | None:
        """A sentence that says why not, or None when it may. Called with the model locked."""

    def goes_along(
        self, *, model: RegisteredModel, name: str, version: ModelVersion | None, reference: str
    ) -> Mapping[int, ModelVersion | None]:
        """What the same reference moves in the same transaction, by the model's primary key.

        The components that are approved and not live yet, or on the way back what went along.
        """

    def request_for(
        self, *, caller: Caller, model: RegisteredModel, name: str, version: ModelVersion
    ) -> RequestRef | None:
        """The promotion request for this move, opened now if there is none; None where none can be.

        Asked outside a transaction, after a move was refused.
        """


@dataclass(frozen=True, slots=True)
class RequestRef:
    """A promotion request as somebody is told of it."""

    label: str
    url: str
    status: str


_guard: AliasGuard | None = None


def register_alias_guard(guard: AliasGuard | None) -> None:
    """Make ``guard`` the one that is asked; None takes it away (tests)."""
    global _guard
    _guard = guard


def alias_guard() -> AliasGuard | None:
    """Who is asked, if anybody."""
    return _guard


class DeletionGuard(Protocol):
    """Who knows of something under way that a deletion would pull the ground from under."""

    def why_not_delete(self, *, model: RegisteredModel, version: ModelVersion | None) -> str | None:
        """A sentence that says why not, or None. Without a version, the whole model goes."""


_deletion_guards: list[DeletionGuard] = []


def register_deletion_guard(guard: DeletionGuard) -> None:
    """Ask ``guard`` before anything is deleted; every one has to allow it."""
    _deletion_guards.append(guard)


def deletion_guards() -> tuple[DeletionGuard, ...]:
    """Everybody who is asked."""
    return tuple(_deletion_guards)


@dataclass(frozen=True, slots=True)
class Cell:
    """What an app above has to say about one model in the inventory."""

    text: str
    tone: str = "secondary"
    icon: str = ""
    url: str = ""
    below: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A part of the inventory's sentence that leads to what needs doing."""

    text: str
    url: str


class PagePart(Protocol):
    """A card on a model's or a version's page that an app above fills."""

    template: str

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        """What its template gets as ``part``; None when there is nothing to show."""


_version_parts: list[tuple[int, PagePart]] = []
_model_parts: list[PagePart] = []


def register_version_part(part: PagePart, *, place: int = 50) -> None:
    """Show the part on every version's page: what decides first (10), how to end it last (90)."""
    _version_parts.append((place, part))
    _version_parts.sort(key=lambda it: it[0])


def register_model_part(part: PagePart) -> None:
    """Show the part on every model's page, in the order of registration."""
    _model_parts.append(part)


def page_parts(
    *, caller: Caller, model: RegisteredModel, version: ModelVersion | None = None
) -> list[dict[str, Any]]:
    """The parts that have something to show: ``{"template", "part"}`` each."""
    parts = _model_parts if version is None else [part for _, part in _version_parts]
    shown = []
    for part in parts:
        context = part.context(caller=caller, model=model, version=version)
        if context is not None:
            shown.append({"template": part.template, "part": context})
    return shown


class InputColumns(Protocol):
    """Who knows what columns a version is sent where it answers: serving, for its endpoints."""

    def __call__(self, version: ModelVersion) -> Sequence[tuple[str, str, Sequence[str]]]:
        """For each: its name, its page, its columns in order."""


_input_columns: list[InputColumns] = []


def register_input_columns(source: InputColumns) -> None:
    """Ask the source, too, whenever a signature is checked."""
    _input_columns.append(source)


def input_columns_of(version: ModelVersion) -> list[tuple[str, str, Sequence[str]]]:
    """Everything that is sent columns of this version."""
    return [found for source in _input_columns for found in source(version)]


class InventoryPart(Protocol):
    """A column of the inventory that an app above fills: monitors, findings, validations."""

    title: str

    def cells(
        self, *, workspace: Workspace, models: Sequence[RegisteredModel]
    ) -> Mapping[int, Cell]:
        """By the model's primary key; as many queries for fifty models as for one."""

    def remarks(self, *, workspace: Workspace) -> Sequence[Remark]:
        """What needs doing in this workspace; none when all is well."""


_parts: dict[str, InventoryPart] = {}


def register_inventory_part(part: InventoryPart) -> None:
    """Show the part's column; one part a title, in the order of registration."""
    _parts[part.title] = part


def inventory_parts() -> list[InventoryPart]:
    """The columns that apps above have added."""
    return list(_parts.values())
