"""Two score vectors over the same rows: how far apart, which decisions flip, which is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, chi2

from evaluation.metrics.arrays import Bools, Floats, NotComputable, labels_of, scores_of
from evaluation.metrics.auc import auc_difference
from evaluation.metrics.classification import log_losses
from evaluation.metrics.intervals import (
    Estimate,
    Influence,
    mean_influence,
    ratio_influence,
    wilson,
)
from evaluation.metrics.regression import mae_influence, r2_influence, rmse_influence


@dataclass(frozen=True, slots=True)
class Delta:
    """A metric of both, and candidate minus baseline with its paired 95 % interval."""

    candidate: float
    baseline: float
    difference: Estimate

    def as_json(self) -> dict[str, float]:
        return {
            "candidate": self.candidate,
            "baseline": self.baseline,
            "delta": self.difference.value,
            "lower95": self.difference.lower95,
            "upper95": self.difference.upper95,
        }


def pair(candidate: ArrayLike, baseline: ArrayLike) -> tuple[Floats, Floats]:
    """Both vectors, checked to be of the same rows."""
    first, second = scores_of(candidate), scores_of(baseline)
    if first.shape != second.shape:
        raise ValueError(f"{first.size} candidate scores against {second.size} of the baseline")
    return first, second


def outside_tolerance(
    candidate: ArrayLike, baseline: ArrayLike, *, absolute: float, relative: float = 0.0
) -> Bools:
    """Rows with |candidate - baseline| > absolute + relative · |baseline|."""
    if absolute < 0 or relative < 0:
        raise ValueError("a tolerance is not negative")
    first, second = pair(candidate, baseline)
    return np.asarray(np.abs(first - second) > absolute + relative * np.abs(second), dtype=np.bool_)


def absolute_differences(candidate: ArrayLike, baseline: ArrayLike) -> dict[str, float]:
    """Mean, quantiles and maximum of |candidate - baseline|, in the score's unit."""
    first, second = pair(candidate, baseline)
    apart = np.abs(first - second)
    p50, p95, p99 = np.quantile(apart, (0.5, 0.95, 0.99))
    return {
        "mean": float(apart.mean()),
        "p50": float(p50),
        "p95": float(p95),
        "p99": float(p99),
        "max": float(apart.max()),
    }


@dataclass(frozen=True, slots=True)
class Flips:
    """Which decisions change from the baseline's to the candidate's, per row."""

    to_positive: Bools
    to_negative: Bools

    def as_json(self) -> dict[str, Any]:
        up, down = int(self.to_positive.sum()), int(self.to_negative.sum())
        return {
            "total": up + down,
            "to_positive": up,
            "to_negative": down,
            "share": wilson(up + down, self.to_positive.size).as_json(),
        }


def flips(
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    threshold: float,
    baseline_threshold: float | None = None,
) -> Flips:
    """Decisions that differ; each version decides by its own threshold (score >= threshold)."""
    first, second = pair(candidate, baseline)
    now = first >= threshold
    before = second >= (threshold if baseline_threshold is None else baseline_threshold)
    return Flips(to_positive=now & ~before, to_negative=~now & before)


def mcnemar(b: int, c: int) -> float:
    """p-value that ``b`` and ``c`` discordant rows are equally likely; exact below 25 of them.

    Source: McNemar (1947), Psychometrika 12:153, with the continuity correction of Edwards (1948).
    """
    if b < 0 or c < 0:
        raise ValueError("counts are not negative")
    if b + c == 0:
        return 1.0
    if b + c < 25:
        return float(binomtest(b, b + c, 0.5).pvalue)
    return float(chi2.sf((max(0.0, abs(b - c) - 1)) ** 2 / (b + c), df=1))


def mcnemar_of(
    labels: ArrayLike,
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    threshold: float,
    baseline_threshold: float | None = None,
) -> dict[str, float | int]:
    """Rows that only one of the two decides rightly, and McNemar's p-value."""
    first, second = pair(candidate, baseline)
    truth = labels_of(labels, rows=first.size)
    second_threshold = threshold if baseline_threshold is None else baseline_threshold
    right = (first >= threshold) == truth
    was_right = (second >= second_threshold) == truth
    gained, lost = int((right & ~was_right).sum()), int((~right & was_right).sum())
    return {"only_candidate_right": gained, "only_baseline_right": lost, "p": mcnemar(gained, lost)}


def binary_deltas(
    labels: ArrayLike,
    candidate: ArrayLike,
    baseline: ArrayLike,
    *,
    threshold: float,
    baseline_threshold: float | None = None,
) -> tuple[dict[str, Delta], dict[str, str]]:
    """Candidate minus baseline for every metric that both allow; for the others, why not."""
    first, second = pair(candidate, baseline)
    truth = labels_of(labels, rows=first.size)
    cut = threshold if baseline_threshold is None else baseline_threshold
    one, two = first >= threshold, second >= cut

    def both(of: Callable[[Floats, Bools], Influence]) -> Callable[[], Delta]:
        return lambda: _delta(of(first, one), of(second, two))

    def by_auc() -> Delta:
        return Delta(*auc_difference(truth, first, second))

    makers: dict[str, Callable[[], Delta]] = {
        "auc": by_auc,
        "log_loss": both(lambda s, _: mean_influence(log_losses(truth, _probability(s)))),
        "brier": both(lambda s, _: mean_influence((_probability(s) - truth) ** 2)),
        "accuracy": both(lambda _, said: mean_influence(said == truth)),
        "precision": both(
            lambda _, said: ratio_influence(
                said & truth, said, empty="one of the two finds no row positive"
            )
        ),
        "recall": both(
            lambda _, said: ratio_influence(
                said & truth, truth, empty="no row is labelled positive"
            )
        ),
        "f1": both(
            lambda _, said: ratio_influence(
                2.0 * (said & truth).astype(np.float64),
                said.astype(np.float64) + truth.astype(np.float64),
                empty="no row is labelled or found positive",
            )
        ),
    }
    return _collect(makers)


def regression_deltas(
    target: ArrayLike, candidate: ArrayLike, baseline: ArrayLike
) -> tuple[dict[str, Delta], dict[str, str]]:
    """Candidate minus baseline for RMSE, MAE and R²; for what is not defined, why not."""
    first, second = pair(candidate, baseline)

    def both(of: Callable[[ArrayLike, ArrayLike], Influence]) -> Callable[[], Delta]:
        return lambda: _delta(of(target, first), of(target, second))

    return _collect(
        {"rmse": both(rmse_influence), "mae": both(mae_influence), "r2": both(r2_influence)}
    )


def _probability(score: Floats) -> Floats:
    return scores_of(score, probability=True)


def _delta(candidate: Influence, baseline: Influence) -> Delta:
    return Delta(candidate.value, baseline.value, candidate.minus(baseline))


def _collect(
    makers: dict[str, Callable[[], Delta]],
) -> tuple[dict[str, Delta], dict[str, str]]:
    found: dict[str, Delta] = {}
    missing: dict[str, str] = {}
    for name, make in makers.items():
        try:
            found[name] = make()
        except NotComputable as reason:
            missing[name] = str(reason)
    return found, missing
