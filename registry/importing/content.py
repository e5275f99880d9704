"""What another registry answers, as plain values (pure). Nothing in it is believed to be right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from common.errors import DomainError

MAX_METRICS = 200


class BadAnswer(DomainError):
    """It answered something that is not MLflow's."""

    code = "bad_answer"
    title = "The other registry answered something else"


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model there; ``aliases`` are pairs of name and version number."""

    name: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: tuple[tuple[str, int], ...] = ()
    deployment_job_id: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """A model version there."""

    number: int
    source: str = ""
    run_id: str = ""
    run_link: str = ""
    logged_model_id: str = ""
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    stage: str = "None"
    status: str = "READY"
    created_at: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """The run behind a version: its last figures and who ran it."""

    metrics: dict[str, float] = field(default_factory=dict)
    not_finite: tuple[str, ...] = ()
    user: str = ""
    git_commit: str = ""


def model(given: Any) -> Model:
    """Raises: BadAnswer."""
    row = _object(given, "a registered model")
    return Model(
        name=_text(row, "name"),
        description=_text(row, "description"),
        tags=_tags(row),
        aliases=tuple(
            (_text(alias, "alias"), _number(alias, "version")) for alias in _objects(row, "aliases")
        ),
        deployment_job_id=_text(row, "deployment_job_id"),
    )


def version(given: Any) -> Version:
    """Raises: BadAnswer."""
    row = _object(given, "a model version")
    return Version(
        number=_number(row, "version"),
        source=_text(row, "source"),
        run_id=_text(row, "run_id"),
        run_link=_text(row, "run_link"),
        logged_model_id=_text(row, "model_id"),
        description=_text(row, "description"),
        tags=_tags(row),
        stage=_text(row, "current_stage") or "None",
        status=_text(row, "status") or "READY",
        created_at=_moment(row.get("creation_timestamp")),
        user=_text(row, "user_id"),
    )


def run(given: Any) -> Run:
    """Raises: BadAnswer."""
    row = _object(given, "a run")
    info, data = _object(row.get("info") or {}, "info"), _object(row.get("data") or {}, "data")
    tags = _tags(data)
    metrics: dict[str, float] = {}
    not_finite = []
    for metric in _objects(data, "metrics"):
        key, value = _text(metric, "key"), metric.get("value")
        try:
            # NaN and infinities come as words or as JSON that is none; both end here.
            figure = math.nan if value is None or isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            figure = math.nan
        if math.isfinite(figure):
            metrics[key] = figure
        else:
            not_finite.append(key)
    return Run(
        metrics=metrics,
        not_finite=tuple(not_finite),
        user=tags.get("mlflow.user", "") or _text(info, "user_id"),
        git_commit=tags.get("mlflow.source.git.commit", ""),
    )


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadAnswer(f"It answered {type(value).__name__} where {what} belongs.")
    return value


def _objects(row: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = row.get(key) or []
    if not isinstance(value, list):
        raise BadAnswer(f"“{key}” is no list.")
    return [_object(item, key) for item in value]


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadAnswer(f"“{key}” is no text.")
    return value.encode("utf-8", "replace").decode()


def _number(row: Mapping[str, Any], key: str) -> int:
    text = str(row.get(key))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise BadAnswer(f"“{key}” is no version number.")
    return int(text)


def _tags(row: Mapping[str, Any]) -> dict[str, str]:
    return {_text(tag, "key"): _text(tag, "value") for tag in _objects(row, "tags")}


def _moment(value: Any) -> str:
    try:
        moment = datetime.fromtimestamp(int(value) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
    return moment.isoformat(timespec="milliseconds")
