"""Tests of "nothing has moved": Kolmogorov–Smirnov for ordered bins, χ² for categories."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Ints = NDArray[np.int64]


def ks(reference: Ints, current: Ints) -> tuple[float, float]:
    """Two-sample Kolmogorov–Smirnov from counts on the same ordered bins.

    Args:
        reference, current: counts, shape ``(k,)``, bins in the order of their values.
    Returns: (D, p); D is exact at the bin edges; p is asymptotic, 1.0 when a side has no rows.
    Source: Smirnov (1948); the asymptotic form of ``scipy.stats.ks_2samp``.
    """
    if reference.shape != current.shape:
        raise ValueError("both sides need the same bins")
    n, m = int(reference.sum()), int(current.sum())
    if n == 0 or m == 0:
        return 0.0, 1.0
    distance = float(np.abs(np.cumsum(reference) / n - np.cumsum(current) / m).max())
    p = float(stats.kstwobign.sf(distance * np.sqrt(n * m / (n + m))))
    return distance, min(1.0, max(0.0, p))


def chi_square_p(reference: Ints, current: Ints, least_expected: float = 5.0) -> float:
    """p-value of Pearson's χ² test that both sides have the same shares.

    Categories with an expected count under ``least_expected`` on either side are joined into one.
    Returns: 1.0 when fewer than two categories are left or a side has no rows.
    """
    if reference.shape != current.shape:
        raise ValueError("both sides need the same categories")
    n, m = int(reference.sum()), int(current.sum())
    if n == 0 or m == 0:
        return 1.0
    total = reference + current
    small = total * min(n, m) / (n + m) < least_expected
    table = np.stack([reference[~small], current[~small]])
    if small.any():
        rest = np.array([[reference[small].sum()], [current[small].sum()]])
        if rest.sum() > 0:
            table = np.hstack([table, rest])
    if table.shape[1] < 2:
        return 1.0
    return float(stats.chi2_contingency(table, correction=False).pvalue)
