"""Models and versions as MLflow's clients read them: plain dicts from plain rows.

Both functions take a tuple in the order of their columns, whether the ORM made it
(``.values_list(*VERSION_COLUMNS)``) or a cursor did (``VERSION_SELECT``): no model instance is
built on the way from the table to the JSON. Times are integers in milliseconds; a version's number
is a string. ``governance`` is ours; clients ignore keys that they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

#: For ``ModelVersion.objects.values_list``.
VERSION_COLUMNS = (
    "model__name",
    "number",
    "created_at",
    "updated_at",
    "created_by__email",
    "created_through__name",
    "stage",
    "description",
    "source",
    "run_id",
    "run_link",
    "status",
    "status_message",
    "tags",
    "logged_model_id",
    "reported_metrics",
    "release_digest",
    "semantic_version",
)
#: A moment as integer milliseconds, made by the database: reading a time costs more than its row.
_CURSOR_MS = "floor(extract(epoch FROM {}) * 1000)::bigint"
#: The same for a cursor: ``v`` joined to ``m`` (model), ``u`` (person) and ``s`` (left: machine).
VERSION_SELECT = f"""
    m.name, v.number, {_CURSOR_MS.format("v.created_at")}, {_CURSOR_MS.format("v.updated_at")},
    u.email, s.name, v.stage, v.description, v.source, v.run_id,
    v.run_link, v.status, v.status_message, v.tags, v.logged_model_id, v.reported_metrics,
    v.release_digest, v.semantic_version
"""
VERSION_JOINS = """
    JOIN registry_registeredmodel m ON m.id = v.model_id
    JOIN accounts_user u ON u.id = v.created_by_id
    LEFT JOIN accounts_serviceaccount s ON s.id = v.created_through_id
"""

#: For ``RegisteredModel.objects.values_list``.
MODEL_COLUMNS = (
    "name",
    "created_at",
    "updated_at",
    "owner__email",
    "description",
    "tags",
    "deployment_job_id",
    "kind",
    "tier",
)
#: The same for a cursor: ``m`` joined to ``o`` (owner).
MODEL_SELECT = f"""
    m.name, {_CURSOR_MS.format("m.created_at")}, {_CURSOR_MS.format("m.updated_at")},
    o.email, m.description, m.tags, m.deployment_job_id,
    m.kind, m.tier
"""
MODEL_JOINS = "JOIN accounts_user o ON o.id = m.owner_id"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def version_json(row: Sequence[Any], aliases: Iterable[str] = ()) -> dict[str, Any]:
    """A ``model_version`` from a row in the order of ``VERSION_COLUMNS``."""
    (
        name,
        number,
        created_at,
        updated_at,
        email,
        machine,
        stage,
        description,
        source,
        run_id,
        run_link,
        status,
        status_message,
        tags,
        logged_model_id,
        metrics,
        digest,
        semantic_version,
    ) = row
    created = ms(created_at)
    shown: dict[str, Any] = {
        "name": name,
        "version": str(number),
        "creation_timestamp": created,
        "last_updated_timestamp": ms(updated_at),
        "user_id": machine or email,
        "current_stage": stage,
        "description": description,
        "source": source,
        "run_id": run_id,
        "run_link": run_link,
        "status": status,
        "status_message": status_message,
        "tags": tags_json(tags),
        "aliases": list(aliases),
    }
    if logged_model_id:
        shown["model_id"] = logged_model_id
    if metrics and metrics != "{}":
        shown["model_metrics"] = [
            {"key": key, "value": value, "timestamp": created, "step": 0}
            for key, value in _mapping(metrics).items()
        ]
    shown["governance"] = {"digest": digest, "semantic_version": semantic_version}
    return shown


def model_json(
    row: Sequence[Any],
    latest_versions: list[dict[str, Any]],
    aliases: Iterable[tuple[str, int]] = (),
) -> dict[str, Any]:
    """A ``registered_model`` from a row in the order of ``MODEL_COLUMNS``.

    ``latest_versions`` are rendered already; ``aliases`` are pairs of name and version number.
    """
    name, created_at, updated_at, email, description, tags, deployment_job_id, kind, tier = row
    shown: dict[str, Any] = {
        "name": name,
        "creation_timestamp": ms(created_at),
        "last_updated_timestamp": ms(updated_at),
        "user_id": email,
        "description": description,
        "latest_versions": latest_versions,
        "tags": tags_json(tags),
        "aliases": [{"alias": alias, "version": str(number)} for alias, number in aliases],
    }
    if deployment_job_id:
        shown["deployment_job_id"] = deployment_job_id
    shown["governance"] = {"kind": kind, "tier": tier}
    return shown


def tags_json(tags: Mapping[str, Any] | str) -> list[dict[str, str]]:
    """Tags as MLflow lists them; a cursor gives JSON as text, the ORM a dict."""
    if not tags or tags == "{}":
        return []
    return [{"key": key, "value": value} for key, value in _mapping(tags).items()]


def ms(moment: datetime | int) -> int:
    """Milliseconds since 1970, which a cursor's row has already."""
    return moment if isinstance(moment, int) else (moment - _EPOCH) // _MS


def _mapping(value: Mapping[str, Any] | str) -> Mapping[str, Any]:
    if isinstance(value, str):
        decoded: dict[str, Any] = json.loads(value)
        return decoded
    return value
