"""Population stability index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
#: Half a row in an empty bin: without it one empty bin makes the index infinite.
SMOOTHING = 0.5
#: 256 bins tell more of noise than of shift, and rules of thumb (0.1, 0.25) are made for about ten.
COARSE = 10


def coarsen(reference: Ints, current: Ints, bins: int = COARSE) -> tuple[Ints, Ints]:
    """Join neighbouring bins until each holds about 1/``bins`` of the reference.

    A bin that holds as much by itself stays alone, so that a column of mostly zeros does not
    become one bin of everything.

    Args:
        reference, current: counts on the same bins, shape ``(k,)``, in the order of the values.
    Returns: two arrays of the same shape ``(m,)``, m ≤ 2 · ``bins`` + 1; every row is counted.
    """
    total = int(reference.sum())
    if total == 0 or reference.size <= bins:
        return reference, current
    wanted = total / bins
    starts = [0]
    held = 0
    for index, count in enumerate(reference.tolist()):
        if index > starts[-1] and (held >= wanted or count >= wanted):
            starts.append(index)
            held = 0
        held += count
    return np.add.reduceat(reference, starts), np.add.reduceat(current, starts)


def psi(reference: Ints, current: Ints) -> float:
    """How far ``current`` has moved from ``reference``.

    Args:
        reference, current: counts per category, shape ``(k,)``, same categories.
    Returns: Σ (p − q) ln(p/q) in nats, ≥ 0, with half a row added to every category; 0 when either
        side has no rows.
    Source: du Pisanie et al. (2023), arXiv:2303.01227.
    """
    p, q = _shares(reference, current)
    if p is None or q is None:
        return 0.0
    return float(((p - q) * np.log(p / q)).sum())


def psi_interval(reference: Ints, current: Ints, z: float = 1.96) -> tuple[float, float]:
    """An approximate 95 % interval of the index, by the delta method for multinomial counts.

    Returns: (lower ≥ 0, upper). Near zero the index is biased upward by about
        (k − 1)(1/n + 1/m); the lower end takes that off.
    """
    p, q = _shares(reference, current)
    if p is None or q is None:
        return 0.0, 0.0
    n, m = int(reference.sum()), int(current.sum())
    value = float(((p - q) * np.log(p / q)).sum())
    grad_p = np.log(p / q) + 1 - q / p
    grad_q = np.log(q / p) + 1 - p / q
    variance = _multinomial(grad_p, p, n) + _multinomial(grad_q, q, m)
    spread = z * float(np.sqrt(max(variance, 0.0)))
    bias = (p.size - 1) * (1 / n + 1 / m)
    return max(0.0, value - bias - spread), value + spread


def _multinomial(gradient: NDArray[np.float64], share: NDArray[np.float64], n: int) -> float:
    return float(((gradient**2 * share).sum() - (gradient * share).sum() ** 2) / n)


def _shares(
    reference: Ints, current: Ints
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    if reference.shape != current.shape or reference.ndim != 1:
        raise ValueError("both sides need the same categories")
    used = (reference + current) > 0
    if reference.sum() == 0 or current.sum() == 0:
        return None, None
    p = reference[used] + SMOOTHING
    q = current[used] + SMOOTHING
    return p / p.sum(), q / q.sum()
