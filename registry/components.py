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
    missing = first_missing(alias=alias, moves=moves)
    if missing is not None:
        version, part, there = missing
        is_live = "nothing of it" if there is None else f"version {there.number}"
        return (
            f"{version} calls {part}, and of {part.model.name} {is_live} is live there: they go "
            "together or not at all."
        )
    for parent, part in dependants(workspace=workspace, alias=alias, moves=moves):
        return (
            f"{parent} is live there and depends on exactly {part}: it goes only together with a "
            f"version of {parent.model.name} that does not."
        )
    return None


def first_missing(
    *, alias: str, moves: Mapping[int, ModelVersion | None]
) -> tuple[ModelVersion, ModelVersion, ModelVersion | None] | None:
    """One of the moved versions, what it calls that would not be live, and what would be."""
    new = [it.pk for it in moves.values() if it is not None]
    rows = list(
        VersionComponent.objects.filter(version__in=new)
        .select_related("version__model", "component__model")
        .order_by("component__model__name")
    )
    if not rows:
        return None
    after: dict[int, ModelVersion | None] = {
        **standing(alias, {row.component.model_id for row in rows}),
        **moves,
    }
    for row in rows:
        there = after.get(row.component.model_id)
        if there is None or there.pk != row.component_id:
            return row.version, row.component, there
    return None


def dependants(
    *, workspace: Workspace, alias: str, moves: Mapping[int, ModelVersion | None]
) -> list[tuple[ModelVersion, ModelVersion]]:
    """Live versions of models that stay, each with the version it calls and that would leave."""
    now = standing(alias, set(moves))
    left = [it for key, it in now.items() if moves[key] != it]
    if not left:
        return []
    rows = (
        VersionComponent.objects.filter(
            component__in=[it.pk for it in left],
            version__workspace=workspace,
            version__aliases__name=alias,
            version__aliases__ended_at=None,
        )
        .exclude(version__model__in=list(moves))
        .select_related("version__model", "component__model")
        .order_by("version__model__name")
    )
    return [(row.version, row.component) for row in rows]
