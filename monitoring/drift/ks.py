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


def share_p(reference: tuple[int, int], current: tuple[int, int]) -> float:
    """p-value of Fisher's exact test that a share is the same on both sides.

    Args:
        reference, current: (rows that have it, rows that do not); few or none are fine.
    """
    if sum(reference) == 0 or sum(current) == 0:
        return 1.0
    return min(1.0, float(stats.fisher_exact([reference, current]).pvalue))


def chi_square_p(reference: Ints, current: Ints, least_expected: float = 5.0) -> float:
    """p-value of "both sides have the same shares", over categories of which some may be rare.

    Categories with an expected count under ``least_expected`` on either side are joined into one.
    Where that is still too rare for χ², the others are tested by χ² and the rare ones by Fisher's
    exact test, and the smaller p-value counts double: χ² alone calls a single odd row drift.
    Returns: 1.0 when fewer than two categories are left or a side has no rows.
    """
    if reference.shape != current.shape:
        raise ValueError("both sides need the same categories")
    n, m = int(reference.sum()), int(current.sum())
    if n == 0 or m == 0:
        return 1.0
    smaller = min(n, m) / (n + m)
    small = (reference + current) * smaller < least_expected
    table = np.stack([reference[~small], current[~small]])
    rest = int(reference[small].sum()), int(current[small].sum())
    if sum(rest) * smaller >= least_expected:
        return _pearson(np.hstack([table, np.array(rest)[:, None]]))
    if not any(rest):
        return _pearson(table)
    rare = share_p((rest[0], n - rest[0]), (rest[1], m - rest[1]))
    return min(1.0, 2 * min(_pearson(table), rare))


def _pearson(table: Ints) -> float:
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    return float(stats.chi2_contingency(table, correction=False).pvalue)
