"""How far predictions are from the truth; both of shape ``(n,)`` in the label's own unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evaluation.metrics.arrays import NotComputable, regression_pair
from evaluation.metrics.intervals import Estimate, Influence, mean_influence


def rmse_influence(target: ArrayLike, scores: ArrayLike) -> Influence:
    truth, score = regression_pair(target, scores)
    squared = mean_influence((score - truth) ** 2)
    root = float(np.sqrt(squared.value))
    return Influence(root, squared.rows / (2 * root) if root > 0 else squared.rows)


def mae_influence(target: ArrayLike, scores: ArrayLike) -> Influence:
    truth, score = regression_pair(target, scores)
    return mean_influence(np.abs(score - truth))


def r2_influence(target: ArrayLike, scores: ArrayLike) -> Influence:
    truth, score = regression_pair(target, scores)
    spread = mean_influence((truth - truth.mean()) ** 2)
    if spread.value == 0.0:
        raise NotComputable("every label is the same")
    left = mean_influence((score - truth) ** 2)
    share = left.value / spread.value
    return Influence(1.0 - share, -(left.rows - share * spread.rows) / spread.value)


def rmse(target: ArrayLike, scores: ArrayLike) -> Estimate:
    """Root mean squared error, >= 0; the root of the mean's normal interval."""
    truth, score = regression_pair(target, scores)
    squared = mean_influence((score - truth) ** 2).estimate().clipped(0.0, np.inf)
    ends = np.sqrt([squared.value, squared.lower95, squared.upper95])
    return Estimate(float(ends[0]), float(ends[1]), float(ends[2]))


def mae(target: ArrayLike, scores: ArrayLike) -> Estimate:
    """Mean absolute error, >= 0; normal interval."""
    return mae_influence(target, scores).estimate().clipped(0.0, np.inf)


def r2(target: ArrayLike, scores: ArrayLike) -> Estimate:
    """Share of the label's variance that is explained, <= 1; delta-method interval."""
    return r2_influence(target, scores).estimate().clipped(-np.inf, 1.0)


def all_metrics(target: ArrayLike, scores: ArrayLike) -> tuple[dict[str, Estimate], dict[str, str]]:
    """Every metric that these rows allow, and for the others a sentence that says why not."""
    found: dict[str, Estimate] = {}
    missing: dict[str, str] = {}
    for name, of in (("rmse", rmse), ("mae", mae), ("r2", r2)):
        try:
            found[name] = of(target, scores)
        except NotComputable as reason:
            missing[name] = str(reason)
    return found, missing
