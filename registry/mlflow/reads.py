"""One model, one version: the reads of MLflow's API, each a single query by index.

Nothing here grows with the number of versions: the latest in each stage is the first of an index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from common.db import columns_of, fetch_all, fetch_one
from registry.mlflow import errors
from registry.mlflow.render import (
    MODEL_COLUMNS,
    MODEL_JOINS,
    MODEL_SELECT,
    VERSION_COLUMNS,
    VERSION_JOINS,
    VERSION_SELECT,
    model_json,
    version_json,
)
from registry.models import ModelVersion, RegisteredModel, Stage

_VERSION_WIDTH, _MODEL_WIDTH = len(VERSION_COLUMNS), len(MODEL_COLUMNS)
_ALIASES = """ARRAY(SELECT a.name FROM registry_alias a
    WHERE a.version_id = v.id AND a.ended_at IS NULL ORDER BY a.name)"""
_HERE = "m.workspace_id = %s AND m.name = %s AND m.deleted_at IS NULL"

_VERSION = f"""
SELECT {VERSION_SELECT}, {_ALIASES}
FROM registry_modelversion v {VERSION_JOINS}
WHERE {_HERE} AND v.number = %s AND v.deleted_at IS NULL
"""  # noqa: S608 -- constants only
_BY_ALIAS = f"""
SELECT {VERSION_SELECT}, {_ALIASES}
FROM registry_alias stands
JOIN registry_modelversion v ON v.id = stands.version_id {VERSION_JOINS}
WHERE {_HERE} AND stands.model_id = m.id AND stands.name = %s AND stands.ended_at IS NULL
"""  # noqa: S608
_NEWEST = f"""
SELECT {VERSION_SELECT}, {_ALIASES}
FROM registry_modelversion v {VERSION_JOINS}
WHERE {_HERE} AND v.deleted_at IS NULL ORDER BY v.number DESC LIMIT 1
"""  # noqa: S608
_MODEL = f"""
SELECT {MODEL_SELECT}, m.id,
    ARRAY(SELECT a.name FROM registry_alias a
        WHERE a.model_id = m.id AND a.ended_at IS NULL ORDER BY a.name),
    ARRAY(SELECT v.number FROM registry_alias a JOIN registry_modelversion v ON v.id = a.version_id
        WHERE a.model_id = m.id AND a.ended_at IS NULL ORDER BY a.name)
FROM registry_registeredmodel m {MODEL_JOINS}
WHERE {_HERE}
"""  # noqa: S608
_LATEST = f"""
SELECT {VERSION_SELECT}, {_ALIASES}
FROM unnest(%s::text[]) WITH ORDINALITY AS stages (stage, place)
CROSS JOIN LATERAL (
    SELECT * FROM registry_modelversion AS one
    WHERE one.model_id = %s AND one.stage = stages.stage AND one.deleted_at IS NULL
    ORDER BY one.number DESC LIMIT 1
) AS v {VERSION_JOINS}
ORDER BY stages.place
"""  # noqa: S608
_SOURCE = f"""
SELECT coalesce(v.release #>> '{{extra,copied_from,source}}', v.source)
FROM registry_modelversion v JOIN registry_registeredmodel m ON m.id = v.model_id
WHERE {_HERE} AND v.number = %s AND v.deleted_at IS NULL
"""  # noqa: S608
_KIND = f"""
SELECT m.kind FROM registry_registeredmodel m WHERE {_HERE}
"""  # noqa: S608
# In the order of the model's fields: ``from_db`` gives them their values one after the other.
_OF_VERSION = columns_of(
    ModelVersion,
    *("id", "uid", "workspace_id", "model_id", "number", "release_digest", "description", "tags"),
    *("status", "stage", "deleted_at"),
)
_OF_MODEL = columns_of(
    RegisteredModel,
    *("id", "workspace_id", "name", "owner_id", "kind", "tier", "tags", "deleted_at"),
)
_FOR_SERVICE = f"""
SELECT {", ".join(f"v.{it}" for it in _OF_VERSION)}, {", ".join(f"m.{it}" for it in _OF_MODEL)}
FROM registry_modelversion v JOIN registry_registeredmodel m ON m.id = v.model_id
WHERE {_HERE} AND v.number = %s AND v.deleted_at IS NULL
"""  # noqa: S608
_STAGES = list(map(str, Stage.values))


def version(workspace_id: int, name: str, number: int) -> dict[str, Any]:
    """The version as MLflow reads it. Raises: MlflowError."""
    row = fetch_one(_VERSION, [workspace_id, name, number])
    if row is None:
        raise errors.version_not_found(name, number)
    return version_json(row[:_VERSION_WIDTH], row[_VERSION_WIDTH])


def version_by_alias(workspace_id: int, name: str, alias: str) -> dict[str, Any]:
    """The version that the alias stands on; ``latest`` is the newest. Raises: MlflowError."""
    if alias.lower() == "latest":
        row = fetch_one(_NEWEST, [workspace_id, name])
    else:
        row = fetch_one(_BY_ALIAS, [workspace_id, name, alias])
    if row is not None:
        return version_json(row[:_VERSION_WIDTH], row[_VERSION_WIDTH])
    insist_model(workspace_id, name)
    if alias.lower() == "latest":
        raise errors.MlflowError(
            "RESOURCE_DOES_NOT_EXIST",
            f"Latest version not found for model {errors.shown(name)}.",
            reason="not_found",
        )
    raise errors.alias_not_found(alias)


def model(workspace_id: int, name: str) -> dict[str, Any]:
    """The model with its latest version in each stage. Raises: MlflowError."""
    row = fetch_one(_MODEL, [workspace_id, name])
    if row is None:
        raise errors.model_not_found(name)
    pk, aliases, numbers = row[_MODEL_WIDTH:]
    return model_json(row[:_MODEL_WIDTH], _latest(pk, _STAGES), zip(aliases, numbers, strict=True))


def latest_versions(workspace_id: int, name: str, stages: Iterable[str]) -> list[dict[str, Any]]:
    """The model's newest version in each of the stages. Raises: MlflowError."""
    row = fetch_one(_MODEL, [workspace_id, name])
    if row is None:
        raise errors.model_not_found(name)
    return _latest(row[_MODEL_WIDTH], list(stages))


def source(workspace_id: int, name: str, number: int) -> str:
    """Where the version's files are: what was given, or for a copy where the original's are."""
    row = fetch_one(_SOURCE, [workspace_id, name, number])
    if row is None:
        raise errors.version_not_found(name, number)
    return str(row[0])


def kind_of(workspace_id: int, name: str) -> str | None:
    """The kind of the model of that name, if there is one."""
    row = fetch_one(_KIND, [workspace_id, name])
    return None if row is None else str(row[0])


def insist_model(workspace_id: int, name: str) -> None:
    """Raises: MlflowError when there is no such model."""
    if kind_of(workspace_id, name) is None:
        raise errors.model_not_found(name)


def model_row(workspace_id: int, name: str) -> RegisteredModel:
    """The model for a service. Raises: MlflowError."""
    found = (
        RegisteredModel.objects.select_related("owner")
        .filter(workspace_id=workspace_id, name=name, deleted_at=None)
        .first()
    )
    if found is None:
        raise errors.model_not_found(name)
    return found


def version_row(workspace_id: int, name: str, number: int) -> ModelVersion:
    """The version, its model along, for a service; what few ask of them is read when it is asked.

    Raises: MlflowError.
    """
    row = fetch_one(_FOR_SERVICE, [workspace_id, name, number])
    if row is None:
        raise errors.version_not_found(name, number)
    width = len(_OF_VERSION)
    found = ModelVersion.from_db("default", _OF_VERSION, _decoded(_OF_VERSION, row[:width]))
    found.model = RegisteredModel.from_db("default", _OF_MODEL, _decoded(_OF_MODEL, row[width:]))
    return found


def _decoded(columns: list[str], row: Sequence[Any]) -> list[Any]:
    """A cursor gives JSON as text."""
    values = list(row)
    place = columns.index("tags")
    if isinstance(values[place], str):
        values[place] = json.loads(values[place])
    return values


def _latest(model_id: int, stages: list[str]) -> list[dict[str, Any]]:
    rows = fetch_all(_LATEST, [stages, model_id])
    return [version_json(row[:_VERSION_WIDTH], row[_VERSION_WIDTH]) for row in rows]
