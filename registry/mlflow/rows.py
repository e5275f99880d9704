"""Many rows at once for MLflow's answers: latest versions and aliases, one query each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from common.db import fetch_all
from registry.mlflow.render import VERSION_JOINS, VERSION_SELECT, version_json
from registry.models import Stage

_LATEST = f"""
    SELECT v.model_id, v.id, {VERSION_SELECT}
    FROM unnest(%s::bigint[]) AS wanted (model_id)
    CROSS JOIN unnest(%s::text[]) AS stages (stage)
    CROSS JOIN LATERAL (
        SELECT * FROM registry_modelversion AS one
        WHERE one.model_id = wanted.model_id AND one.stage = stages.stage
            AND one.deleted_at IS NULL
        ORDER BY one.number DESC LIMIT 1
    ) AS v
    {VERSION_JOINS}
    ORDER BY v.number
"""  # noqa: S608 -- constants only
_VERSION_ALIASES = """
    SELECT version_id, name FROM registry_alias
    WHERE version_id = ANY(%s::bigint[]) AND ended_at IS NULL ORDER BY name
"""
_MODEL_ALIASES = """
    SELECT a.model_id, a.name, v.number FROM registry_alias a
    JOIN registry_modelversion v ON v.id = a.version_id
    WHERE a.model_id = ANY(%s::bigint[]) AND a.ended_at IS NULL ORDER BY a.name
"""


def latest_versions(
    model_ids: Sequence[int], stages: Iterable[str] = Stage.values
) -> dict[int, list[dict[str, Any]]]:
    """Each model's newest version in each of the stages, by number, rendered, aliases filled.

    Two queries, whatever the number of models and versions: each newest is the first of an index.
    """
    rows = fetch_all(_LATEST, [list(model_ids), list(stages)])
    aliases = version_aliases([row[1] for row in rows])
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(version_json(row[2:], aliases.get(row[1], ())))
    return found


def version_aliases(version_ids: Sequence[int]) -> dict[int, list[str]]:
    """The names that stand on each of the versions now, by name."""
    found: dict[int, list[str]] = defaultdict(list)
    if version_ids:
        for version_id, name in fetch_all(_VERSION_ALIASES, [list(version_ids)]):
            found[version_id].append(name)
    return found


def model_aliases(model_ids: Sequence[int]) -> dict[int, list[tuple[str, int]]]:
    """Where each of the models' aliases stands now: pairs of name and version number, by name."""
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    if model_ids:
        for model_id, name, number in fetch_all(_MODEL_ALIASES, [list(model_ids)]):
            found[model_id].append((name, number))
    return found
