"""What changes against the version that is live: scores, decisions, and where they flip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation import selectors
from evaluation.errors import CannotCompute
from evaluation.metrics import comparison
from evaluation.metrics.segments import flips_by_segment, group_by
from evaluation.services import frame as frames

if TYPE_CHECKING:
    from evaluation.models import Evidence
    from evaluation.results import DifferentialResult

MOST_DIFFERENT = 20
AUTO_SEGMENTS = 6
_MAX_TEXT = 200


def compute(evidence: Evidence) -> tuple[DifferentialResult, list[str]]:
    """The result and the digests of what went in. Raises: CannotCompute."""
    label = selectors.label_column(evidence)
    segments = _segments(evidence, label)
    features = _features(evidence)
    frame = frames.load(evidence, [label, *segments, *features])
    if not frame.keys:
        raise CannotCompute("There is no row to compare.", code="no_rows")
    candidate, baseline = frame.scores, frame.against
    task = frames.task_of(evidence)
    tolerance = {
        "abs": float(evidence.params["tolerance_abs"]),
        "rel": float(evidence.params["tolerance_rel"]),
    }
    outside = comparison.outside_tolerance(
        candidate, baseline, absolute=tolerance["abs"], relative=tolerance["rel"]
    )
    result: DifferentialResult = {
        "rows": len(frame.keys),
        "task": task,
        "abs_diff": comparison.absolute_differences(candidate, baseline),
        "outside_tolerance": int(outside.sum()),
        "tolerance": tolerance,
        "flips": None,
        "flips_by_segment": [],
        "metrics_delta": {},
        "not_computed": {},
        "most_different": _most_different(frame, features),
        "excluded": {"label_missing": 0},
        "sample": frame.sample,
    }
    if frame.latency_ms:
        result["latency_ms"] = frame.latency_ms
    if task == "binary":
        _add_flips(result, evidence, frame, segments)
    _add_deltas(result, evidence, frame, label)
    return result, frame.data_digests


def _add_flips(
    result: DifferentialResult, evidence: Evidence, frame: frames.Frame, segments: list[str]
) -> None:
    thresholds = {
        "candidate": frames.threshold_of(evidence),
        "baseline": frames.baseline_threshold_of(evidence),
    }
    changed = comparison.flips(
        frame.scores,
        frame.against,
        threshold=thresholds["candidate"],
        baseline_threshold=thresholds["baseline"],
    )
    result["thresholds"] = thresholds
    result["flips"] = changed.as_json()
    for name in segments:
        result["flips_by_segment"].extend(
            flips_by_segment(
                changed,
                group_by(name, frame.columns[name]),
                min_rows=int(evidence.params["min_group_rows"]),
            )
        )


def _add_deltas(
    result: DifferentialResult, evidence: Evidence, frame: frames.Frame, label: str
) -> None:
    if not label:
        result["not_computed"]["metrics_delta"] = "there are no labels"
        return
    labels = frames.read_labels(evidence, frame)
    result["excluded"]["label_missing"] = labels.missing
    if not labels.known.any():
        result["not_computed"]["metrics_delta"] = f"every row lacks the label {label}"
        return
    truth = labels.values[labels.known]
    candidate, baseline = frame.scores[labels.known], frame.against[labels.known]
    if result["task"] == "regression":
        found, missing = comparison.regression_deltas(truth, candidate, baseline)
    else:
        cuts = result.get("thresholds", {})
        found, missing = comparison.binary_deltas(
            truth,
            candidate,
            baseline,
            threshold=cuts["candidate"],
            baseline_threshold=cuts["baseline"],
        )
        result["mcnemar"] = comparison.mcnemar_of(
            truth,
            candidate,
            baseline,
            threshold=cuts["candidate"],
            baseline_threshold=cuts["baseline"],
        )
    result["metrics_delta"] = {name: delta.as_json() for name, delta in found.items()}
    result["not_computed"].update(missing)


def _most_different(frame: frames.Frame, features: list[str]) -> list[dict[str, Any]]:
    gaps = frame.scores - frame.against
    order = np.argsort(-np.abs(gaps), kind="stable")[:MOST_DIFFERENT]
    return [
        {
            "row": frame.keys[index],
            "candidate": float(frame.scores[index]),
            "baseline": float(frame.against[index]),
            "diff": float(gaps[index]),
            "features": {name: shown(frame.columns[name][index]) for name in features},
        }
        for index in order
        if gaps[index] != 0.0
    ]


def shown(value: Any) -> Any:
    """A cell as JSON: numbers as they are, NaN as nothing, the rest as text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return str(value)[:_MAX_TEXT]


def _segments(evidence: Evidence, label: str) -> list[str]:
    """As asked; else the dataset's own columns that cut rows into groups worth a look."""
    if asked := evidence.params.get("segments"):
        return list(asked)
    if evidence.dataset is None:
        return []
    skipped = {label, evidence.dataset.id_column, evidence.dataset.time_column}
    inputs = set(evidence.endpoint.input_columns) if evidence.endpoint else None
    found = []
    for column in evidence.dataset.columns:
        name, distinct = column["name"], column.get("distinct") or 0
        if name in skipped or distinct < 2 or (inputs is not None and name not in inputs):
            continue
        if column["type"] in ("number", "integer", "boolean") or (
            column["type"] == "text" and distinct <= 50
        ):
            found.append(name)
    return found[:AUTO_SEGMENTS]


def _features(evidence: Evidence) -> list[str]:
    """What is shown beside the rows that differ most: what the candidate was sent."""
    if evidence.dataset is None or evidence.endpoint is None:
        return []
    known = {column["name"] for column in evidence.dataset.columns}
    return [name for name in evidence.endpoint.input_columns if name in known]
