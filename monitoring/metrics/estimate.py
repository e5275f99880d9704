"""Performance without labels, from the score's histogram and the reference's calibration.

Holds under covariate shift only: a score must still mean what it meant in the reference. It is
shown as an interval, with this assumption beside it; realised performance replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Bins of the score's histogram: enough that ties inside a bin cost the AUC nothing visible.
SCORE_BINS = 200
DRAWS = 400
_TINY = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Calibration:
    """What a score meant in the reference, per bin of its histogram.

    Attributes:
        rows, positives: labelled reference rows and the positive ones, shape ``(b,)``.
        mean_score: their mean score, shape ``(b,)``; the bin's middle where there were none.
        decided: whether rows of the bin are decided positive (score ≥ threshold), shape ``(b,)``.
    """

    rows: Ints
    positives: Ints
    mean_score: Floats
    decided: NDArray[np.bool_]

    @classmethod
    def of(cls, scores: Floats, labels: Floats, edges: Floats, threshold: float) -> Calibration:
        """Count a reference's finite scores with labels 0 or 1 (NaN is no label)."""
        known = np.isfinite(scores) & np.isfinite(labels)
        score, label = scores[known], labels[known]
        bins = edges.size + 1
        place = np.searchsorted(edges, score, side="left")
        rows = np.bincount(place, minlength=bins).astype(np.int64)
        positives = np.bincount(place, weights=label, minlength=bins).astype(np.int64)
        sums = np.bincount(place, weights=score, minlength=bins)
        ends = np.concatenate([edges[:1], edges, edges[-1:]])
        middles = (ends[:-1] + ends[1:]) / 2
        means = np.where(rows > 0, sums / np.maximum(rows, 1), middles)
        return cls(rows, positives, means, ends[:-1] >= threshold_edge(threshold))

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows.tolist(),
            "positives": self.positives.tolist(),
            "mean_score": self.mean_score.tolist(),
            "decided": self.decided.tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        return cls(
            np.array(value["rows"], dtype=np.int64),
            np.array(value["positives"], dtype=np.int64),
            np.array(value["mean_score"], dtype=np.float64),
            np.array(value["decided"], dtype=np.bool_),
        )


def threshold_edge(threshold: float) -> float:
    """The bin edge that parts decisions: bins end at and with their edge, decisions begin at it."""
    return float(np.nextafter(threshold, -np.inf))


def estimate(calibration: Calibration, counts: Ints) -> dict[str, dict[str, float]]:
    """AUC, accuracy, log loss, Brier score and base rate that these scores lead to expect.

    Args:
        counts: rows of the window per score bin, shape ``(b,)``.
    Returns: ``{"auc": {"value", "lower95", "upper95"}, …}``. The interval holds both what the
        reference left open (its rows per bin are few) and the chance in the window's labels. Log
        loss and Brier score are left out when scores are no probabilities; AUC when every expected
        label is the same; everything when either side is empty.
    """
    total = int(counts.sum())
    if total == 0 or int(calibration.rows.sum()) == 0:
        return {}
    rates = _rates(calibration.rows, calibration.positives)
    generator = np.random.default_rng(0)
    again = generator.binomial(calibration.rows, rates, size=(DRAWS, rates.size))
    possible = np.stack([_rates(calibration.rows, drawn) for drawn in again])
    labels = generator.binomial(counts, possible)
    expected = _metrics(counts, (counts * rates)[None, :], calibration)
    drawn_metrics = _metrics(counts, labels.astype(np.float64), calibration)
    result = {}
    for name, values in expected.items():
        value = float(values[0])
        if not np.isfinite(value):
            continue
        lower, upper = np.nanquantile(drawn_metrics[name], (0.025, 0.975))
        result[name] = {
            "value": value,
            "lower95": min(value, float(lower)),
            "upper95": max(value, float(upper)),
        }
    return result


def _rates(rows: Ints, positives: Ints) -> Floats:
    """Share of positives per bin; an empty bin takes what its neighbours say."""
    known = np.flatnonzero(rows > 0)
    return np.interp(np.arange(rows.size), known, positives[known] / rows[known])


def _metrics(counts: Ints, positive: Floats, calibration: Calibration) -> dict[str, Floats]:
    """Each metric for each row of ``positive``, shape ``(d, b)``."""
    total = counts.sum()
    negative = counts - positive
    p, n = positive.sum(axis=1), negative.sum(axis=1)
    below = np.cumsum(negative, axis=1) - negative
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (positive * (below + negative / 2)).sum(axis=1) / (p * n)
    said = calibration.decided
    right = positive[:, said].sum(axis=1) + negative[:, ~said].sum(axis=1)
    result = {"auc": auc, "accuracy": right / total, "base_rate": p / total}
    score = calibration.mean_score
    if score.min() >= 0 and score.max() <= 1:
        sure = np.clip(score, _TINY, 1 - _TINY)
        result["log_loss"] = -(positive @ np.log(sure) + negative @ np.log1p(-sure)) / total
        result["brier"] = (positive @ (1 - score) ** 2 + negative @ score**2) / total
    return result
