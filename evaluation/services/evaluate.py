"""How good a version is on one dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation import selectors
from evaluation.errors import CannotCompute
from evaluation.metrics import classification, regression
from evaluation.services import frame as frames

if TYPE_CHECKING:
    from evaluation.models import Evidence
    from evaluation.results import EvaluationResult


def compute(evidence: Evidence) -> tuple[EvaluationResult, list[str]]:
    """The result and the digests of what went in. Raises: CannotCompute."""
    column = selectors.label_column(evidence)
    if not column:
        raise CannotCompute("There are no labels to compare with.", code="no_label_column")
    frame = frames.load(evidence, [column])
    labels = frames.read_labels(evidence, frame)
    if not labels.known.any():
        raise CannotCompute(f"Every row lacks the label {column}.", code="no_labels")
    truth, scores = labels.values[labels.known], frame.scores[labels.known]
    task = frames.task_of(evidence)
    result: EvaluationResult = {
        "rows": int(scores.size),
        "task": task,
        "label": labels.meaning,
        "metrics": {},
        "not_computed": {},
        "excluded": {"label_missing": labels.missing},
        "score_histogram": classification.histogram(scores),
        "sample": frame.sample,
    }
    if frame.latency_ms:
        result["latency_ms"] = frame.latency_ms
    if task == "regression":
        found, missing = regression.all_metrics(truth, scores)
    else:
        threshold = frames.threshold_of(evidence)
        found, missing = classification.all_metrics(
            truth, scores, threshold=threshold, seed=evidence.seed
        )
        result["threshold"] = threshold
        result["base_rate"] = float(truth.mean())
        result["confusion"] = classification.confusion(truth, scores, threshold).as_json()
        if "calibration_error" in found:
            result["calibration"] = classification.calibration_table(truth, scores)
        if 0 < np.count_nonzero(truth) < truth.size:
            result["roc"] = classification.roc_points(truth, scores)
    result["metrics"] = {name: found[name].as_json() for name in found}  # type: ignore[misc]
    result["not_computed"] = missing
    return result, frame.data_digests
