"""What every metric insists on before it adds anything up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class NotComputable(ValueError):
    """These rows cannot give this metric; the message says why, for a person."""


def scores_of(values: ArrayLike, *, probability: bool = False) -> Floats:
    """Scores as float64 of shape ``(n,)``.

    Raises: ValueError when not one-dimensional, a value is not finite, or ``probability`` is
        asked for and one lies outside 0 to 1. NotComputable when empty.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError("scores must be one-dimensional")
    if array.size == 0:
        raise NotComputable("there is no row to compute it from")
    if not np.isfinite(array).all():
        raise ValueError("a score is not a finite number")
    if probability and (array.min() < 0.0 or array.max() > 1.0):
        raise NotComputable("the scores are not probabilities between 0 and 1")
    return array


def labels_of(values: ArrayLike, *, rows: int) -> Bools:
    """Binary labels as booleans of shape ``(rows,)``.

    Raises: ValueError for another length, or a value other than 0 and 1.
    """
    array = np.asarray(values)
    if array.shape != (rows,):
        raise ValueError(f"{rows} scores need {rows} labels, not {array.shape}")
    if array.dtype == np.bool_:
        return array
    numbers = array.astype(np.float64)
    if not np.isin(numbers, (0.0, 1.0)).all():
        raise ValueError("a label is neither 0 nor 1")
    return numbers.astype(np.bool_)


def both_classes(labels: Bools) -> None:
    """Raises: NotComputable when only one class is there."""
    if not labels.any():
        raise NotComputable("no row is labelled positive")
    if labels.all():
        raise NotComputable("no row is labelled negative")


def pair_of(
    labels: ArrayLike, scores: ArrayLike, *, probability: bool = False
) -> tuple[Bools, Floats]:
    """Labels and scores of the same rows, checked."""
    score = scores_of(scores, probability=probability)
    return labels_of(labels, rows=score.size), score


def regression_pair(target: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """True values and predictions of the same rows, checked."""
    score = scores_of(scores)
    truth = np.asarray(target, dtype=np.float64)
    if truth.shape != score.shape:
        raise ValueError(f"{score.size} scores need {score.size} labels, not {truth.shape}")
    if not np.isfinite(truth).all():
        raise ValueError("a label is not a finite number")
    return truth, score


def plain(values: Sequence[Any] | Floats) -> list[float]:
    """An array as JSON numbers."""
    return [float(value) for value in values]
