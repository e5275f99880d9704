"""Promoted together or not at all: may an environment's aliases stand like this?

The rule, in one sentence: where a version is live, every version that it calls is live too, in the
same environment. It is asked about a move before it is made (here, with a sentence as the answer)
and held at commit by a deferred trigger, whatever way the rows were written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from registry.models import Alias, ModelVersion, VersionComponent

if TYPE_CHECKING:
    from accounts.models import Workspace

#: Nobody can register a deeper one: every level takes at least one of the limited components.
_DEEPEST = 1000


def closure(parts: Iterable[ModelVersion]) -> list[ModelVersion]:
    """The parts, what these call, what those call …: each once; one query a level."""
    found = {it.pk: it for it in parts}
    level = set(found)
    for _ in range(_DEEPEST):
        if not level:
            break
        rows = VersionComponent.objects.filter(version__in=level).select_related(
            "component__model__workspace"
        )
        new = {row.component_id: row.component for row in rows if row.component_id not in found}
        found |= new
        level = set(new)
    return list(found.values())


def called_by(version: ModelVersion) -> list[ModelVersion]:
    """Everything that the version calls, itself or through another; itself not."""
    return [it for it in closure([version]) if it.pk != version.pk]


def standing(alias: str, models: Collection[int]) -> dict[int, ModelVersion]:
    """Where the alias stands now, by the model's primary key."""
    rows = Alias.objects.filter(model__in=models, name=alias, ended_at=None)
    return {it.model_id: it.version for it in rows.select_related("version__model")}


def parents_live(part: ModelVersion, alias: str) -> list[ModelVersion]:
    """The live versions that call exactly this one, by name."""
    rows = Alias.objects.filter(
        name=alias, ended_at=None, version__component_rows__component=part
    ).select_related("version__model")
    return [it.version for it in rows.order_by("model__name")]


def models_touched(version: ModelVersion | None, present: ModelVersion | None) -> set[int]:
    """Models whose aliases a move from ``present`` to ``version`` may ask about or take along."""
    ends = [it for it in (version, present) if it is not None]
    return {it.model_id for it in closure(ends)}


def why_not_stand(
    *, workspace: Workspace, alias: str, moves: Mapping[int, ModelVersion | None]
) -> str | None:
    """Why the alias may not stand on all of these at once, as a sentence; None when it may.

    Args:
        moves: where it shall stand by the model's primary key; None takes it off. All move
            together, every other model stays.
    """
    new = [it for it in moves.values() if it is not None]
    rows = list(
        VersionComponent.objects.filter(version__in=[it.pk for it in new]).select_related(
            "version__model", "component__model"
        )
    )
    now = standing(alias, {row.component.model_id for row in rows} | set(moves))
    after: dict[int, ModelVersion | None] = {**now, **moves}
    for row in sorted(rows, key=lambda it: it.component.model.name):
        there = after.get(row.component.model_id)
        if there is None or there.pk != row.component_id:
            is_live = "nothing of it" if there is None else f"version {there.number}"
            return (
                f"{row.version} calls {row.component}, and of {row.component.model.name} "
                f"{is_live} is live there: they go together or not at all."
            )
    left = [
        it for key, it in now.items() if key in moves and (after[key] is None or after[key] != it)
    ]
    dependants = (
        Alias.objects.filter(
            model__workspace=workspace,
            name=alias,
            ended_at=None,
            version__component_rows__component__in=[it.pk for it in left],
        )
        .exclude(model__in=list(moves))
        .select_related("version__model")
        .order_by("model__name")
        .first()
        if left
        else None
    )
    if dependants is None:
        return None
    part = next(
        it
        for it in left
        if VersionComponent.objects.filter(version=dependants.version_id, component=it).exists()
    )
    return (
        f"{dependants.version} is live there and depends on exactly {part}: it goes only together "
        f"with a version of {dependants.model.name} that does not."
    )
