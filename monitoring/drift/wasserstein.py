"""Wasserstein distance from counts at known points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def wasserstein(
    reference: NDArray[np.int64],
    current: NDArray[np.int64],
    values: NDArray[np.float64],
    *,
    spread: bool = False,
) -> float:
    """The first Wasserstein distance, in the column's own unit.

    Args:
        reference, current: rows in (previous value, value], shape ``(k,)``.
        values: the points, shape ``(k,)``, not falling.
        spread: rows lie evenly between two points (a continuous column), not at the upper one.
    Returns: ∫ |F − G|, ≥ 0; 0 when either side has no rows.
    Source: Vallender (1974); without ``spread`` the same as ``scipy.stats.wasserstein_distance``
        with weights.
    """
    if not reference.shape == current.shape == values.shape:
        raise ValueError("counts and values need the same buckets")
    n, m = int(reference.sum()), int(current.sum())
    if n == 0 or m == 0:
        return 0.0
    difference = np.cumsum(reference) / n - np.cumsum(current) / m
    left, right = np.abs(difference[:-1]), np.abs(difference[1:])
    width = np.diff(values)
    if not spread:
        return float((left * width).sum())
    crosses = difference[:-1] * difference[1:] < 0
    total = left + right
    with np.errstate(invalid="ignore", divide="ignore"):
        # A straight line through zero leaves two triangles.
        height = np.where(crosses, (left**2 + right**2) / (2 * total), total / 2)
    return float((height * width).sum())
