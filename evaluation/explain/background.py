"""The rows that "not knowing a feature" means: a few real ones that stand for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from evaluation.metrics.arrays import Floats

MAX_ROWS = 30


def coded(rows: list[dict[str, Any]], columns: list[str]) -> Floats:
    """Rows as numbers to measure distances on: standardised; categories are 0/1, gaps the mean."""
    parts: list[Floats] = []
    for column in columns:
        values = [row[column] for row in rows]
        if all(value is None or _is_number(value) for value in values):
            numbers = np.array(
                [np.nan if value is None else float(value) for value in values], dtype=np.float64
            )
            numbers[~np.isfinite(numbers)] = np.nan
            known = numbers[~np.isnan(numbers)]
            spread = float(known.std()) if known.size else 0.0
            if spread > 0:
                filled = np.where(np.isnan(numbers), known.mean(), numbers)
                parts.append(((filled - known.mean()) / spread)[:, None])
        else:
            names = sorted({str(value) for value in values})[:20]
            flags = np.array([[str(value) == name for name in names] for value in values])
            parts.append(flags.astype(np.float64))
    return np.hstack(parts) if parts else np.zeros((len(rows), 1))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating))


def choose(
    rows: list[dict[str, Any]], columns: list[str], *, size: int, method: str, seed: int
) -> tuple[NDArray[np.int64], Floats]:
    """Pick at most ``size`` background rows.

    Args:
        method: ``random``, equally weighted; or ``kmeans``: the real row nearest to each cluster's
            centre, weighted by the cluster's share of the rows.
    Returns: indices into ``rows`` and their weights, which sum to 1.
    """
    if not rows:
        raise ValueError("there is no row to choose a background from")
    size = min(size, MAX_ROWS, len(rows))
    if method == "random":
        picked = np.random.default_rng(seed).choice(len(rows), size=size, replace=False)
        return np.sort(picked), np.full(size, 1.0 / size)
    if method != "kmeans":
        raise ValueError(f"there is no background method “{method}”")
    points = coded(rows, columns)
    size = min(size, len(np.unique(points, axis=0)))
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters=size, n_init=1, random_state=seed % 2**32).fit(points)
    weights: dict[int, float] = {}
    for cluster in range(size):
        members = np.flatnonzero(fitted.labels_ == cluster)
        if members.size == 0:
            continue
        apart = ((points[members] - fitted.cluster_centers_[cluster]) ** 2).sum(axis=1)
        nearest = int(members[int(apart.argmin())])
        weights[nearest] = weights.get(nearest, 0.0) + members.size / len(rows)
    indices = np.array(sorted(weights), dtype=np.int64)
    return indices, np.array([weights[int(index)] for index in indices])
