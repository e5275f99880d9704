"""The inventory as a page shows it: one row a model, now or at the end of a day."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from django.db.models import Max

from registry import selectors
from registry.models import ModelVersion, RegisteredModel
from registry.ports import Cell, inventory_parts
from registry.selectors import Live

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Workspace
    from registry.models import Environment

#: What each need is called in the inventory's sentence: one, several.
NEEDS = {
    "version": ("model has no version yet", "models have no version yet"),
    "promotion": (
        "has a newest version that is not live",
        "have a newest version that is not live",
    ),
    "purpose": ("has no purpose written down", "have no purpose written down"),
    "author": ("has an author nobody has mapped", "have authors nobody has mapped"),
}


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """One model: what is live of it in each environment, its newest version, others' cells."""

    model: RegisteredModel
    live: list[Live | None]
    newest: int | None
    cells: list[Cell | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of the inventory's sentence."""

    models: int
    live: int
    needs: list[tuple[str, int, str]]


def end_of(day: date) -> datetime:
    """The last moment of a day in UTC."""
    return datetime.combine(day, time.max, UTC)


def rows(
    workspace: Workspace, models: Sequence[RegisteredModel], *, at: datetime | None = None
) -> list[InventoryRow]:
    """As many queries for fifty models as for one."""
    environments = list(selectors.environments(workspace))
    live = {
        (it.model.pk, it.environment.pk): it
        for it in selectors.live_versions(workspace, models=models, at=at)
    }
    newest = _newest(models, at) if at is not None else {}
    # Apps above speak of the present: beside a past day their cells would mislead.
    parts = (
        []
        if at is not None
        else [part.cells(workspace=workspace, models=models) for part in inventory_parts()]
    )
    return [
        InventoryRow(
            model=model,
            live=[live.get((model.pk, environment.pk)) for environment in environments],
            newest=newest.get(model.pk) if at is not None else model.latest_number,  # type: ignore[attr-defined]
            cells=[cells.get(model.pk) for cells in parts],
        )
        for model in models
    ]


def summary(workspace: Workspace) -> Summary:
    """Over the whole workspace, whatever is filtered."""
    models = selectors.models_for(workspace)
    last = selectors.environments(workspace).last()
    live = {
        it.model.pk
        for it in selectors.live_versions(workspace)
        if last is not None and it.environment.pk == last.pk
    }
    needs = []
    for need, (one, several) in NEEDS.items():
        count = selectors.needing(models, need).count()
        if count:
            needs.append((need, count, one if count == 1 else several))
    return Summary(models=models.count(), live=len(live), needs=needs)


def as_csv(
    workspace: Workspace, models: QuerySet[RegisteredModel], *, at: datetime | None = None
) -> Iterator[str]:
    """Line by line, five hundred models at a time; no cell is a formula."""
    environments: list[Environment] = list(selectors.environments(workspace))
    yield _line(
        [
            "model",
            "kind",
            "tier",
            "owner",
            "newest version",
            *(f"live in {environment.name}" for environment in environments),
            "purpose",
        ]
    )
    start = 0
    while chunk := list(models[start : start + 500]):
        start += len(chunk)
        for row in rows(workspace, chunk, at=at):
            yield _line(
                [
                    row.model.name,
                    row.model.kind,
                    row.model.tier,
                    row.model.owner.email,
                    row.newest or "",
                    *(live.version.number if live else "" for live in row.live),
                    row.model.purpose,
                ]
            )


def _line(cells: list[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_inert(cell) for cell in cells])
    return out.getvalue()


def _inert(cell: object) -> object:
    # =cmd(), +1, -1, @sum and a leading tab are formulas to a spreadsheet.
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + cell
    return cell


def _newest(models: Sequence[RegisteredModel], at: datetime) -> dict[int, int]:
    found = (
        ModelVersion.objects.filter(model__in=[it.pk for it in models], created_at__lte=at)
        .exclude(deleted_at__lte=at)
        .values("model")
        .annotate(newest=Max("number"))
        .values_list("model", "newest")
    )
    return dict(found.order_by())
