"""Wasserstein distance from counts on the fixed grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def wasserstein(
    reference: NDArray[np.int64], current: NDArray[np.int64], values: NDArray[np.float64]
) -> float:
    """The first Wasserstein distance, in the column's own unit.

    Args:
        reference, current: counts per bucket, shape ``(k,)``.
        values: what a row in each bucket counts as, shape ``(k,)``, not falling.
    Returns: ∫ |F − G|, ≥ 0; 0 when either side has no rows.
    Source: Vallender (1974); the same as ``scipy.stats.wasserstein_distance`` with weights.
    """
    if not reference.shape == current.shape == values.shape:
        raise ValueError("counts and values need the same buckets")
    n, m = int(reference.sum()), int(current.sum())
    if n == 0 or m == 0:
        return 0.0
    difference = np.cumsum(reference)[:-1] / n - np.cumsum(current)[:-1] / m
    return float((np.abs(difference) * np.diff(values)).sum())
