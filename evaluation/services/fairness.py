"""Are groups of people treated alike by a version's decisions?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation import selectors
from evaluation.errors import CannotCompute
from evaluation.metrics.fairness import by_column
from evaluation.metrics.segments import group_by
from evaluation.services import frame as frames

if TYPE_CHECKING:
    from evaluation.models import Evidence
    from evaluation.results import FairnessResult


def compute(evidence: Evidence) -> tuple[FairnessResult, list[str]]:
    """The result and the digests of what went in. Raises: CannotCompute."""
    if frames.task_of(evidence) != "binary":
        raise CannotCompute(
            "Fairness of decisions needs a model that decides yes or no.", code="not_binary"
        )
    label = selectors.label_column(evidence)
    columns: list[str] = list(evidence.params["groups"])
    frame = frames.load(evidence, [label, *columns])
    deserved, missing = None, 0
    positive = evidence.params["favourable"] == "positive"
    if label:
        labels = frames.read_labels(evidence, frame)
        missing = labels.missing
        if labels.known.any():
            frame = frame.kept(labels.known)
            truth = labels.values[labels.known] == 1.0
            deserved = truth if positive else ~truth
    if not frame.keys:
        raise CannotCompute("There is no row to judge.", code="no_rows")
    threshold = frames.threshold_of(evidence)
    above = frame.scores >= threshold
    result: FairnessResult = {
        "rows": len(frame.keys),
        "threshold": threshold,
        "positive_is": f"score {'at or above' if positive else 'below'} {threshold:g}",
        "limit": float(evidence.params["limit"]),
        "groups": [],
        "selection_rate_ratio": {},
        "equalized_odds_difference": {},
        "too_small": [],
        "not_computed": {},
        "excluded": {"label_missing": missing},
        "sample": frame.sample,
    }
    if frame.latency_ms:
        result["latency_ms"] = frame.latency_ms
    for column in columns:
        found = by_column(
            group_by(column, frame.columns[column]),
            favoured=above if positive else ~above,
            deserved=None if deserved is None else np.asarray(deserved, dtype=np.bool_),
            scores=frame.scores if positive else -frame.scores,
            min_rows=int(evidence.params["min_group_rows"]),
        )
        result["groups"].extend(found.groups)
        result["too_small"].extend(found.too_small)
        if found.selection_rate_ratio is not None:
            result["selection_rate_ratio"][column] = found.selection_rate_ratio
        if found.equalized_odds_difference is not None:
            result["equalized_odds_difference"][column] = found.equalized_odds_difference
        for name, reason in found.not_computed.items():
            result["not_computed"][f"{name}({column})"] = reason
    return result, frame.data_digests
