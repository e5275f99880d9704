"""Jensen–Shannon distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def jensen_shannon(reference: NDArray[np.int64], current: NDArray[np.int64]) -> float:
    """The square root of the Jensen–Shannon divergence to base 2.

    Args:
        reference, current: counts per category, shape ``(k,)``, same categories.
    Returns: between 0 (equal shares) and 1 (nothing in common); 0 when either side has no rows.
    Source: Lin (1991); the same convention as ``scipy.spatial.distance.jensenshannon(base=2)``.
    """
    if reference.shape != current.shape:
        raise ValueError("both sides need the same categories")
    if reference.sum() == 0 or current.sum() == 0:
        return 0.0
    p = reference / reference.sum()
    q = current / current.sum()
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log2(p / middle), 0.0)
        right = np.where(q > 0, q * np.log2(q / middle), 0.0)
    return float(np.sqrt(max(0.0, (left.sum() + right.sum()) / 2)))
