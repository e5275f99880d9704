"""How good a binary score is, and how good the decisions are that a threshold makes of it.

``labels`` are 0 or 1, ``scores`` rise with the chance of 1; both of shape ``(n,)``, same order.
Log loss, Brier score and calibration need probabilities; the others take any finite score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.metrics.arrays import (
    Bools,
    Floats,
    NotComputable,
    both_classes,
    pair_of,
    plain,
    scores_of,
)
from evaluation.metrics.auc import auc
from evaluation.metrics.intervals import (
    Estimate,
    bootstrap_bins,
    bootstrap_counts,
    mean_influence,
    wilson,
)

#: Log loss never takes the logarithm of less than this (scikit-learn's choice for float64).
EPSILON = float(np.finfo(np.float64).eps)
ROC_POINTS = 200


@dataclass(frozen=True, slots=True)
class Confusion:
    """Decisions against labels, in rows; positive means ``score >= threshold``."""

    tp: int
    fp: int
    tn: int
    fn: int

    def as_json(self) -> dict[str, int]:
        return {"tp": self.tp, "fp": self.fp, "tn": self.tn, "fn": self.fn}


def confusion(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Confusion:
    """Count the four outcomes."""
    truth, score = pair_of(labels, scores)
    said = score >= threshold
    return Confusion(
        tp=int((said & truth).sum()),
        fp=int((said & ~truth).sum()),
        tn=int((~said & ~truth).sum()),
        fn=int((~said & truth).sum()),
    )


def accuracy(counts: Confusion) -> Estimate:
    """Share of decisions that match the label; Wilson interval."""
    right = counts.tp + counts.tn
    return wilson(right, right + counts.fp + counts.fn)


def precision(counts: Confusion) -> Estimate:
    """Share of positive decisions that were right; Wilson interval."""
    if counts.tp + counts.fp == 0:
        raise NotComputable("no row reaches the threshold")
    return wilson(counts.tp, counts.tp + counts.fp)


def recall(counts: Confusion) -> Estimate:
    """Share of positive labels that were found; Wilson interval."""
    if counts.tp + counts.fn == 0:
        raise NotComputable("no row is labelled positive")
    return wilson(counts.tp, counts.tp + counts.fn)


def f1(counts: Confusion, *, seed: int = 0) -> Estimate:
    """Harmonic mean of precision and recall, 0 to 1; bootstrap interval."""
    if counts.tp + counts.fp + counts.fn == 0:
        raise NotComputable("no row is labelled positive and none reaches the threshold")

    def of(cells: NDArray[np.int64]) -> Floats:
        tp, fp, fn = cells[:, 0], cells[:, 1], cells[:, 2]
        below = 2 * tp + fp + fn
        with np.errstate(invalid="ignore"):
            return np.where(below > 0, 2 * tp / np.maximum(below, 1), np.nan)

    return bootstrap_counts((counts.tp, counts.fp, counts.fn, counts.tn), of, seed=seed)


def log_losses(truth: Bools, score: Floats) -> Floats:
    """Loss per row, in nats."""
    clipped = np.clip(score, EPSILON, 1 - EPSILON)
    return np.asarray(-np.where(truth, np.log(clipped), np.log1p(-clipped)), dtype=np.float64)


def log_loss(labels: ArrayLike, scores: ArrayLike) -> Estimate:
    """Mean negative log likelihood in nats, >= 0, lower is better; normal interval."""
    truth, score = pair_of(labels, scores, probability=True)
    return mean_influence(log_losses(truth, score)).estimate().clipped(0.0, np.inf)


def brier(labels: ArrayLike, scores: ArrayLike) -> Estimate:
    """Mean squared distance of probability and label, 0 to 1, lower is better; normal interval."""
    truth, score = pair_of(labels, scores, probability=True)
    return mean_influence((score - truth) ** 2).estimate().clipped(0.0, 1.0)


def quantile_bins(scores: Floats, bins: int = 10) -> NDArray[np.int64]:
    """Bin number per row, about equally many rows each; equal scores share a bin."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)))
    return np.asarray(np.searchsorted(edges[1:-1], scores, side="left"), dtype=np.int64)


def calibration_table(
    labels: ArrayLike, scores: ArrayLike, *, bins: int = 10
) -> list[dict[str, float | int]]:
    """Per bin of scores: mean score, share of positives with its Wilson interval, rows."""
    truth, score = pair_of(labels, scores, probability=True)
    number = quantile_bins(score, bins)
    rows = np.bincount(number)
    positives = np.bincount(number, weights=truth)
    sums = np.bincount(number, weights=score)
    table: list[dict[str, float | int]] = []
    for index in np.flatnonzero(rows):
        share = wilson(int(positives[index]), int(rows[index]))
        table.append(
            {
                "mean_score": float(sums[index] / rows[index]),
                "share_positive": share.value,
                "lower95": share.lower95,
                "upper95": share.upper95,
                "rows": int(rows[index]),
            }
        )
    return table


def calibration_error(
    labels: ArrayLike, scores: ArrayLike, *, bins: int = 10, seed: int = 0
) -> Estimate:
    """Mean distance of score and share of positives over quantile bins, 0 to 1 (ECE).

    Source: Naeini et al. (2015), AAAI; bins by quantile rather than by width.
    """
    truth, score = pair_of(labels, scores, probability=True)

    def of(rows: NDArray[np.int64], sums: Floats) -> Floats:
        return np.asarray(np.abs(sums).sum(axis=1) / rows.sum(axis=1), dtype=np.float64)

    gaps = score - truth
    return bootstrap_bins(quantile_bins(score, bins), gaps, of, seed=seed).clipped(0.0, 1.0)


def roc_points(
    labels: ArrayLike, scores: ArrayLike, *, at_most: int = ROC_POINTS
) -> list[list[float]]:
    """The ROC curve as ``[false positive rate, true positive rate]`` from (0, 0) to (1, 1)."""
    truth, score = pair_of(labels, scores)
    both_classes(truth)
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], truth[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    tpr = np.concatenate(([0.0], np.cumsum(hits)[last] / truth.sum()))
    fpr = np.concatenate(([0.0], np.cumsum(~hits)[last] / (~truth).sum()))
    keep = np.unique(np.linspace(0, tpr.size - 1, min(at_most, tpr.size)).round().astype(int))
    return [[float(x), float(y)] for x, y in zip(fpr[keep], tpr[keep], strict=True)]


def histogram(scores: ArrayLike, *, bins: int = 20) -> dict[str, list[float] | list[int]]:
    """Rows per equal slice of the scores' range (0 to 1 for probabilities)."""
    score = scores_of(scores)
    low, high = float(score.min()), float(score.max())
    if low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    elif low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(score, bins=bins, range=(low, high))
    return {"edges": plain(edges), "counts": [int(count) for count in counts]}


def all_metrics(
    labels: ArrayLike, scores: ArrayLike, *, threshold: float, seed: int = 0
) -> tuple[dict[str, Estimate], dict[str, str]]:
    """Every metric that these rows allow, and for the others a sentence that says why not."""
    counts = confusion(labels, scores, threshold)
    makers: dict[str, Any] = {
        "auc": lambda: auc(labels, scores),
        "log_loss": lambda: log_loss(labels, scores),
        "brier": lambda: brier(labels, scores),
        "calibration_error": lambda: calibration_error(labels, scores, seed=seed),
        "accuracy": lambda: accuracy(counts),
        "precision": lambda: precision(counts),
        "recall": lambda: recall(counts),
        "f1": lambda: f1(counts, seed=seed),
    }
    found: dict[str, Estimate] = {}
    missing: dict[str, str] = {}
    for name, make in makers.items():
        try:
            found[name] = make()
        except NotComputable as reason:
            missing[name] = str(reason)
    return found, missing
