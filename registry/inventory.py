"""The inventory as a page shows it: one row a model, now or at the end of a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from django.db.models import Max, Q
from django.urls import reverse

from common.csv_lines import csv_line
from registry import selectors
from registry.models import ModelVersion, RegisteredModel
from registry.ports import Cell, inventory_parts
from registry.selectors import Live

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Workspace
    from registry.models import Environment


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """One model: what is live of it in each environment, its newest version, others' cells."""

    model: RegisteredModel
    live: list[Live | None]
    newest: int | None
    cells: list[Cell | None] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The model's page; its versions' pages begin with it."""
        return reverse("registry:model-detail", args=[self.model.name])


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
    if at is None:
        models = selectors.with_counts(models)
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


def as_csv(
    workspace: Workspace, models: QuerySet[RegisteredModel], *, at: datetime | None = None
) -> Iterator[str]:
    """Line by line, five hundred models at a time; no cell is a formula."""
    environments: list[Environment] = list(selectors.environments(workspace))
    titles = [] if at is not None else [part.title for part in inventory_parts()]
    yield csv_line(
        [
            "model",
            "kind",
            "tier",
            "owner",
            "newest version",
            *(f"live in {environment.name}" for environment in environments),
            *(title.lower() for title in titles),
            "purpose",
        ]
    )
    last: tuple[str, int] | None = None
    # By key and not by offset: a model that is added meanwhile moves no other off the page.
    ordered = models.order_by("name", "pk")
    while chunk := list(_after(ordered, last)[:500]):
        last = (chunk[-1].name, chunk[-1].pk)
        for row in rows(workspace, chunk, at=at):
            yield csv_line(
                [
                    row.model.name,
                    row.model.kind,
                    row.model.tier,
                    row.model.owner.email,
                    row.newest or "",
                    *(live.version.number if live else "" for live in row.live),
                    *(_in_words(cell) for cell in row.cells),
                    row.model.purpose,
                ]
            )


def _after(
    models: QuerySet[RegisteredModel], last: tuple[str, int] | None
) -> QuerySet[RegisteredModel]:
    if last is None:
        return models
    name, key = last
    return models.filter(Q(name__gt=name) | Q(name=name, pk__gt=key))


def _in_words(cell: Cell | None) -> str:
    return "" if cell is None else "; ".join(text for text in (cell.text, cell.below) if text)


def _newest(models: Sequence[RegisteredModel], at: datetime) -> dict[int, int]:
    found = (
        ModelVersion.objects.filter(model__in=[it.pk for it in models], created_at__lte=at)
        .exclude(deleted_at__lte=at)
        .values("model")
        .annotate(newest=Max("number"))
        .values_list("model", "newest")
    )
    return dict(found.order_by())
