"""Many columns, one false alarm rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def benjamini_hochberg(p_values: Sequence[float], alpha: float = 0.05) -> list[bool]:
    """Which tests stay significant when the false discovery rate is held at ``alpha``.

    Args:
        p_values: each in [0, 1]; an empty sequence gives an empty list.
        alpha: the rate, 0 < alpha < 1.
    Returns: a verdict per p-value, in the order given.
    Source: Benjamini and Hochberg (1995), as ``scipy.stats.false_discovery_control`` adjusts.
    """
    count = len(p_values)
    if count == 0:
        return []
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    passed = values[order] <= alpha * np.arange(1, count + 1) / count
    verdict = np.zeros(count, dtype=bool)
    if passed.any():
        verdict[order[: int(np.flatnonzero(passed)[-1]) + 1]] = True
    return [bool(item) for item in verdict]
