"""A numeric column's profile: two integer histograms and exact counts (MONITORING 6.1).

The first histogram lies on the reference's frozen quantile edges: PSI, JS, χ² and KS come out of
it exactly. The second lies on a fixed grid, the same for every column of every model: Wasserstein
distance, quantiles, and a new reference later without the rows. Both only ever add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BINS = 256
#: The grid: 2 % wide buckets by magnitude, from 1e-9 to 1e12, mirrored for negative values.
GRID_RATIO = 1.02
GRID_LOW = 1e-9
GRID_HIGH = 1e12


def _magnitudes() -> Floats:
    count = int(np.ceil(np.log(GRID_HIGH / GRID_LOW) / np.log(GRID_RATIO)))
    return GRID_LOW * GRID_RATIO ** np.arange(count + 1, dtype=np.float64)


_POSITIVE = _magnitudes()
#: Rising edges of the fixed grid; the bucket around zero is (-1e-9, 1e-9).
GRID_EDGES: Floats = np.concatenate([-_POSITIVE[::-1], _POSITIVE])


@dataclass(frozen=True)
class NumericSpec:
    """How a column is counted: the reference's quantile edges, frozen.

    ``edges`` has shape ``(k,)``, strictly rising, 1 ≤ k ≤ 255; the bins are
    ``(-∞, e₀], (e₀, e₁] … (eₖ₋₁, ∞)``.
    """

    edges: Floats

    @classmethod
    def from_reference(cls, values: Floats, bins: int = BINS) -> NumericSpec:
        """Edges at the quantiles of the reference's finite values.

        Few distinct values give fewer bins: an edge each, so every value keeps its own bin.
        Raises: ValueError when no value is finite.
        """
        finite = values[np.isfinite(values)]
        if finite.size == 0:
            raise ValueError("a numeric column needs at least one finite reference value")
        levels = np.arange(1, bins, dtype=np.float64) / bins
        edges = np.unique(np.quantile(finite, levels, method="inverted_cdf"))
        return cls(edges=edges.astype(np.float64))


@dataclass(frozen=True)
class NumericProfile:
    """Counts of one column over some rows; ``a + b`` is the profile of both sets of rows.

    Attributes:
        bins: shape ``(len(edges) + 1,)``, counts on the reference's edges.
        grid: shape ``(len(GRID_EDGES) + 1,)``, counts on the fixed grid.
        rows, nulls, pos_inf, neg_inf, zeros: exact counts; NaN counts as null.
        total, total_sq: Σ and Σ² of the finite values, for means and deviations; the only floats.
    """

    bins: Ints
    grid: Ints
    rows: int
    nulls: int
    pos_inf: int
    neg_inf: int
    zeros: int
    total: float
    total_sq: float

    @classmethod
    def of(cls, values: Floats, spec: NumericSpec) -> NumericProfile:
        """Profile ``values``, shape ``(n,)``; NaN is a null."""
        nulls = np.isnan(values)
        pos_inf, neg_inf = np.isposinf(values), np.isneginf(values)
        finite = np.sort(values[~(nulls | pos_inf | neg_inf)])
        return cls(
            bins=_counts(finite, spec.edges),
            grid=_counts(finite, GRID_EDGES),
            rows=int(values.size),
            nulls=int(nulls.sum()),
            pos_inf=int(pos_inf.sum()),
            neg_inf=int(neg_inf.sum()),
            zeros=int((finite == 0).sum()),
            total=float(finite.sum()),
            total_sq=float((finite * finite).sum()),
        )

    @classmethod
    def empty(cls, spec: NumericSpec) -> NumericProfile:
        return cls.of(np.empty(0, dtype=np.float64), spec)

    @property
    def finite(self) -> int:
        return self.rows - self.nulls - self.pos_inf - self.neg_inf

    @property
    def mean(self) -> float | None:
        return self.total / self.finite if self.finite else None

    def __add__(self, other: NumericProfile) -> NumericProfile:
        return NumericProfile(
            bins=self.bins + other.bins,
            grid=self.grid + other.grid,
            rows=self.rows + other.rows,
            nulls=self.nulls + other.nulls,
            pos_inf=self.pos_inf + other.pos_inf,
            neg_inf=self.neg_inf + other.neg_inf,
            zeros=self.zeros + other.zeros,
            total=self.total + other.total,
            total_sq=self.total_sq + other.total_sq,
        )

    def quantile(self, q: float) -> float | None:
        """A quantile from the grid, exact to 1 %; None without finite values."""
        if self.finite == 0:
            return None
        cumulative = np.cumsum(self.grid)
        index = int(np.searchsorted(cumulative, max(1, np.ceil(q * self.finite))))
        return float(grid_middles()[index])

    def drift_counts(self) -> Ints:
        """The bins, then nulls, +∞ and −∞ as categories of their own: going missing is drift."""
        return np.concatenate([self.bins, [self.nulls, self.pos_inf, self.neg_inf]]).astype(
            np.int64
        )

    def facts(self) -> dict[str, Any]:
        """Everything but the histograms, as JSON."""
        return {
            "rows": self.rows,
            "nulls": self.nulls,
            "pos_inf": self.pos_inf,
            "neg_inf": self.neg_inf,
            "zeros": self.zeros,
            "total": self.total,
            "total_sq": self.total_sq,
        }


def grid_middles() -> Floats:
    """A value for each bucket of the grid: its middle, or its edge where it is open."""
    inner = (GRID_EDGES[:-1] + GRID_EDGES[1:]) / 2
    return np.concatenate([[GRID_EDGES[0]], inner, [GRID_EDGES[-1]]])


def _counts(ordered: Floats, edges: Floats) -> Ints:
    # Sort the column once, then search the few edges in it: 5 times faster than the reverse.
    below = np.searchsorted(ordered, edges, side="right")
    return np.diff(np.concatenate([[0], below, [ordered.size]])).astype(np.int64)
