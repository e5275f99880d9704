"""The shapes of ``Evidence.result`` by kind: JSON numbers that survive jsonb, no NaN."""

from __future__ import annotations

import math
from typing import Any, NotRequired, TypedDict


class Interval(TypedDict):
    value: float
    lower95: NotRequired[float]
    upper95: NotRequired[float]


class EvaluationResult(TypedDict):
    """``not_computed`` says for each metric that is missing why these rows cannot give it."""

    rows: int
    task: str
    label: str
    metrics: dict[str, Interval]
    not_computed: dict[str, str]
    excluded: dict[str, int]
    score_histogram: dict[str, Any]
    sample: dict[str, int]
    latency_ms: NotRequired[dict[str, float]]
    threshold: NotRequired[float]
    base_rate: NotRequired[float]
    confusion: NotRequired[dict[str, int]]
    calibration: NotRequired[list[dict[str, Any]]]
    roc: NotRequired[list[list[float]]]


class DifferentialResult(TypedDict):
    """Candidate against baseline over the same rows."""

    rows: int
    task: str
    abs_diff: dict[str, float]
    outside_tolerance: int
    tolerance: dict[str, float]
    flips: dict[str, Any] | None
    flips_by_segment: list[dict[str, Any]]
    metrics_delta: dict[str, dict[str, float]]
    not_computed: dict[str, str]
    mcnemar: NotRequired[dict[str, Any]]
    most_different: list[dict[str, Any]]
    excluded: dict[str, int]
    sample: dict[str, int]
    thresholds: NotRequired[dict[str, float]]
    latency_ms: NotRequired[dict[str, Any]]


class FairnessResult(TypedDict):
    """Groups are compared by the decision in a person's favour, ``positive_is``."""

    rows: int
    threshold: float
    positive_is: str
    limit: float
    groups: list[dict[str, Any]]
    selection_rate_ratio: dict[str, dict[str, Any]]
    equalized_odds_difference: dict[str, dict[str, Any]]
    too_small: list[dict[str, Any]]
    not_computed: dict[str, str]
    excluded: dict[str, int]
    sample: dict[str, int]
    latency_ms: NotRequired[dict[str, Any]]


#: From here on a float has no fraction left, and jsonb would give it back as a whole number.
_WHOLE = 1e15


def plain(value: Any) -> Any:
    """A copy that reads back from jsonb as it was written, so that its digest can be checked.

    Raises: ValueError for NaN or infinity, which JSON does not have.
    """
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a result holds no NaN and no infinity")
        return int(value) if abs(value) >= _WHOLE else value + 0.0
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise ValueError(f"a result holds no {type(value).__name__}")
