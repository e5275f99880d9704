"""A numeric column's profile: two integer histograms and exact counts (MONITORING 6.1).

The first histogram lies on the reference's frozen quantile edges: PSI, JS, χ² and KS come out of
it exactly. The second lies on a fixed grid, the same for every column of every model: Wasserstein
distance, quantiles, and a new reference later without the rows. Both only ever add up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.profiles.exact import Exact, exact_sum, exact_sum_of_squares

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BINS = 256
#: Edges beyond either end of the reference, so that values outside its range are told apart too;
#: the fixed grid is coarse where a column lies far from zero, such as an air pressure.
TAILS = 48
_TAIL_STEPS = 32
#: The grid: 2 % wide buckets by magnitude, from 1e-9 to 1e12, mirrored for negative values.
GRID_RATIO = 1.02
GRID_LOW = 1e-9
GRID_HIGH = 1e12


def _magnitudes() -> Floats:
    # Multiplied one by one: a vectorised power rounds differently from one processor to the next.
    values = [GRID_LOW]
    while values[-1] < GRID_HIGH:
        values.append(values[-1] * GRID_RATIO)
    return np.array(values, dtype=np.float64)


_POSITIVE = _magnitudes()
#: Rising edges of the fixed grid; the bucket around zero is (-1e-9, 1e-9].
GRID_EDGES: Floats = np.concatenate([-_POSITIVE[::-1], _POSITIVE])


@dataclass(frozen=True)
class NumericSpec:
    """How a column is counted: the reference's quantile edges, frozen.

    ``edges`` has shape ``(k,)``, strictly rising, k ≥ 1; the bins are
    ``(-∞, e₀], (e₀, e₁] … (eₖ₋₁, ∞)``. Up to ``TAILS`` evenly spaced edges lie beyond either end
    of the reference. ``is_discrete`` says that the reference had few distinct values, each at an
    edge of its own.
    """

    edges: Floats
    is_discrete: bool = False

    @classmethod
    def from_reference(
        cls,
        values: Floats,
        bins: int = BINS,
        *,
        also: tuple[float, ...] = (),
        tails: int = TAILS,
    ) -> NumericSpec:
        """Edges at the quantiles of the reference's finite values, beyond them, and at ``also``.

        Few distinct values give fewer bins: an edge each, so every value keeps its own bin.
        Raises: ValueError when no value is finite.
        """
        finite = values[np.isfinite(values)]
        if finite.size == 0:
            raise ValueError("a numeric column needs at least one finite reference value")
        distinct = np.unique(finite)
        extra = np.union1d(_beyond(distinct, finite, tails), np.array(also, dtype=np.float64))
        if distinct.size < bins:
            return cls(edges=np.union1d(distinct, extra), is_discrete=True)
        levels = np.arange(1, bins, dtype=np.float64) / bins
        edges = np.quantile(finite, levels, method="inverted_cdf")
        return cls(edges=np.union1d(edges, extra))


@dataclass(frozen=True)
class NumericProfile:
    """Counts of one column over some rows; ``a + b`` is the profile of both sets of rows.

    Attributes:
        bins: shape ``(len(edges) + 1,)``, counts on the reference's edges.
        grid: shape ``(len(GRID_EDGES) + 1,)``, counts on the fixed grid.
        rows, nulls, pos_inf, neg_inf, zeros: exact counts; NaN counts as null.
        total, total_sq: Σ and Σ² of the finite values, exact, for means and deviations.
    """

    bins: Ints
    grid: Ints
    rows: int
    nulls: int
    pos_inf: int
    neg_inf: int
    zeros: int
    total: Exact
    total_sq: Exact

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
            total=exact_sum(finite),
            total_sq=exact_sum_of_squares(finite),
        )

    @classmethod
    def empty(cls, spec: NumericSpec) -> NumericProfile:
        return cls.of(np.empty(0, dtype=np.float64), spec)

    @property
    def finite(self) -> int:
        return self.rows - self.nulls - self.pos_inf - self.neg_inf

    @property
    def mean(self) -> float | None:
        return float(self.total.fraction() / self.finite) if self.finite else None

    @property
    def deviation(self) -> float | None:
        """The population's standard deviation, from exact sums; None without finite values."""
        if not self.finite:
            return None
        mean = self.total.fraction() / self.finite
        return math.sqrt(self.total_sq.fraction() / self.finite - mean * mean)

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

    def points(self, spec: NumericSpec) -> tuple[Floats, Ints]:
        """Where the finite rows lie, as exactly as both histograms together know it.

        Returns: (values, counts), both ``(m,)``: that many rows lie in (previous value, value];
            rows over the grid's end count at its last edge. Every edge of either histogram is a
            value, so the cumulative counts are exact there.
        """
        edges = np.union1d(spec.edges, GRID_EDGES)
        cumulative = np.zeros(edges.size, dtype=np.int64)
        for own, counts in ((spec.edges, self.bins), (GRID_EDGES, self.grid)):
            np.maximum.at(cumulative, np.searchsorted(edges, own), np.cumsum(counts)[:-1])
        cumulative = np.maximum.accumulate(cumulative)
        cumulative[-1] = self.finite
        return edges, np.diff(cumulative, prepend=0)

    def quantile(self, q: float, spec: NumericSpec) -> float | None:
        """The smallest known edge with a share ``q`` of the rows at or below; None without rows."""
        if self.finite == 0:
            return None
        values, counts = self.points(spec)
        index = int(np.searchsorted(np.cumsum(counts), max(1, np.ceil(q * self.finite))))
        return float(values[index])

    def facts(self) -> dict[str, Any]:
        """Everything but the histograms, as JSON."""
        return {
            "rows": self.rows,
            "nulls": self.nulls,
            "pos_inf": self.pos_inf,
            "neg_inf": self.neg_inf,
            "zeros": self.zeros,
            "total": self.total.as_json(),
            "total_sq": self.total_sq.as_json(),
        }


def _beyond(distinct: Floats, finite: Floats, tails: int) -> Floats:
    """Edges outside the reference's range: whole numbers stay whole."""
    ends = np.quantile(finite, [0.01, 0.99], method="inverted_cdf")
    with np.errstate(over="ignore"):
        step = (ends[1] - ends[0]) / _TAIL_STEPS
        if (distinct == np.round(distinct)).all():
            step = max(1.0, np.ceil(step))
        if not tails or not np.isfinite(step) or step == 0:
            return np.empty(0)
        away = step * np.arange(1, tails + 1)
        edges = np.concatenate([distinct[0] - away, distinct[-1], distinct[-1] + away], axis=None)
    return np.asarray(edges[np.isfinite(edges)], dtype=np.float64)


def _counts(ordered: Floats, edges: Floats) -> Ints:
    # Sort the column once, then search the few edges in it: 5 times faster than the reverse.
    below = np.searchsorted(ordered, edges, side="right")
    return np.diff(np.concatenate([[0], below, [ordered.size]])).astype(np.int64)
