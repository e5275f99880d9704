"""Performance from labels that arrived, by the same arithmetic as evidence before release."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import classification
from evaluation.metrics.arrays import NotComputable
from evaluation.metrics.auc import auc
from evaluation.metrics.intervals import Estimate, wilson

Floats = NDArray[np.float64]


def realised(scores: Floats, labels: Floats, threshold: float) -> dict[str, dict[str, float]]:
    """AUC, accuracy, log loss, Brier score and base rate of labelled rows, with 95 % intervals.

    Args:
        scores: finite, shape ``(n,)``; labels: 0 or 1, shape ``(n,)``.
    Returns: ``{"auc": {"value", "lower95", "upper95"}, …}``; what these rows cannot give (one class
        only, scores that are no probabilities) is left out.
    """
    if scores.size == 0:
        return {}
    metrics: dict[str, Callable[[], Estimate]] = {
        "auc": lambda: auc(labels, scores),
        "accuracy": lambda: classification.accuracy(
            classification.confusion(labels, scores, threshold)
        ),
        "log_loss": lambda: classification.log_loss(labels, scores),
        "brier": lambda: classification.brier(labels, scores),
        "base_rate": lambda: wilson(int(labels.sum()), int(labels.size)),
    }
    result = {}
    for name, metric in metrics.items():
        try:
            result[name] = metric().as_json()
        except NotComputable:
            continue
    return result
