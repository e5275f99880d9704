"""Area under the ROC curve with DeLong's covariance, in O(n log n) by ranks.

Source: DeLong et al. (1988), Biometrics 44:837; the rank form: Sun and Xu (2014), IEEE SPL 21:1389.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from evaluation.metrics.arrays import Bools, Floats, both_classes, pair_of
from evaluation.metrics.intervals import Estimate, around


@dataclass(frozen=True, slots=True)
class _Placements:
    """AUC and, per positive and negative row, the share of the other class that it beats."""

    auc: float
    positives: Floats
    negatives: Floats


def auc(labels: ArrayLike, scores: ArrayLike) -> Estimate:
    """How often a positive row scores above a negative one, ties as half; 0 to 1.

    Raises: NotComputable with one class only; ValueError for bad arrays.
    """
    truth, score = pair_of(labels, scores)
    both_classes(truth)
    placed = _placements(truth, score)
    fewer = min(placed.positives.size, placed.negatives.size)
    if placed.auc in (0.0, 1.0):
        # DeLong's variance is 0 here, and an interval without width would claim too much: the
        # end is where the smaller class would still look perfect with probability 2.5 %.
        end = 0.025 ** (1 / fewer)
        return Estimate(1.0, end, 1.0) if placed.auc == 1.0 else Estimate(0.0, 0.0, 1.0 - end)
    return around(placed.auc, float(np.sqrt(_covariance(placed, placed)))).clipped(0.0, 1.0)


def auc_difference(
    labels: ArrayLike, candidate: ArrayLike, baseline: ArrayLike
) -> tuple[float, float, Estimate]:
    """AUC of both and their difference with the paired DeLong interval; same rows, same order.

    Returns: (candidate, baseline, candidate - baseline).
    """
    truth, first = pair_of(labels, candidate)
    _, second = pair_of(labels, baseline)
    both_classes(truth)
    one, two = _placements(truth, first), _placements(truth, second)
    variance = _covariance(one, one) + _covariance(two, two) - 2 * _covariance(one, two)
    delta = around(one.auc - two.auc, float(np.sqrt(max(0.0, variance)))).clipped(-1.0, 1.0)
    return one.auc, two.auc, delta


def _placements(truth: Bools, score: Floats) -> _Placements:
    positive, negative = score[truth], score[~truth]
    m, n = positive.size, negative.size
    ranks = rankdata(score)
    in_positive = (ranks[truth] - rankdata(positive)) / n
    in_negative = 1.0 - (ranks[~truth] - rankdata(negative)) / m
    return _Placements(float(in_positive.mean()), in_positive, in_negative)


def _covariance(one: _Placements, two: _Placements) -> float:
    total = 0.0
    for first, second in ((one.positives, two.positives), (one.negatives, two.negatives)):
        if first.size > 1:
            products = (first - first.mean()) * (second - second.mean())
            total += float(products.sum() / (first.size - 1) / first.size)
        else:
            # One row says nothing about its own spread: the largest there can be.
            total += 0.25
    return total
