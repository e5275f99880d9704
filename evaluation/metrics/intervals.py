"""95 % intervals: Wilson, normal, delta method, and a seeded, vectorised bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics.arrays import Bools, Floats, NotComputable

#: 97.5 % quantile of the standard normal distribution.
Z95 = 1.959963984540054
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with the ends of its 95 % interval, all in the unit of the value."""

    value: float
    lower95: float
    upper95: float

    def as_json(self) -> dict[str, float]:
        return {"value": self.value, "lower95": self.lower95, "upper95": self.upper95}

    def clipped(self, low: float, high: float) -> Estimate:
        """The same with the interval's ends kept within what the value can be."""
        return Estimate(self.value, max(low, self.lower95), min(high, self.upper95))


def wilson(successes: int, trials: int) -> Estimate:
    """A share with its Wilson score interval; sensible also at 0 and 1 and for few trials.

    Source: Wilson (1927), JASA 22:209.
    Raises: NotComputable without trials; ValueError when ``successes`` is not in 0..trials.
    """
    if trials <= 0:
        raise NotComputable("there is no row to take a share of")
    if not 0 <= successes <= trials:
        raise ValueError("successes must lie between 0 and trials")
    share = successes / trials
    denominator = 1 + Z95**2 / trials
    centre = (share + Z95**2 / (2 * trials)) / denominator
    half = Z95 * np.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2)) / denominator
    lower = 0.0 if successes == 0 else float(max(0.0, centre - half))
    upper = 1.0 if successes == trials else float(min(1.0, centre + half))
    return Estimate(float(share), lower, upper)


def around(value: float, standard_error: float) -> Estimate:
    """value ± 1.96 standard errors."""
    half = Z95 * standard_error
    return Estimate(float(value), float(value - half), float(value + half))


@dataclass(frozen=True, slots=True)
class Influence:
    """A statistic and how much each row moves it: shape ``(n,)``, mean 0.

    Two statistics over the same rows can be subtracted, which gives the paired interval.
    """

    value: float
    rows: Floats

    def estimate(self) -> Estimate:
        return around(self.value, self.standard_error())

    def standard_error(self) -> float:
        n = self.rows.size
        if n < 2:
            return 0.0
        return float(np.sqrt(np.sum((self.rows - self.rows.mean()) ** 2) / (n - 1) / n))

    def minus(self, other: Influence) -> Estimate:
        """The difference with its paired interval (same rows, same order)."""
        return Influence(self.value - other.value, self.rows - other.rows).estimate()


def mean_influence(values: Floats | Bools) -> Influence:
    """Of a mean."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size == 0:
        raise NotComputable("there is no row to compute it from")
    mean = float(numbers.mean())
    return Influence(mean, numbers - mean)


def ratio_influence(top: Floats | Bools, bottom: Floats | Bools, *, empty: str) -> Influence:
    """Of mean(top) / mean(bottom), by the delta method.

    Raises: NotComputable with the sentence ``empty`` when the bottom is zero.
    """
    numerator, denominator = mean_influence(top), mean_influence(bottom)
    if denominator.value == 0.0:
        raise NotComputable(empty)
    value = numerator.value / denominator.value
    return Influence(value, (numerator.rows - value * denominator.rows) / denominator.value)


def bootstrap_counts(
    counts: tuple[int, ...], statistic: Callable[[NDArray[np.int64]], Floats], *, seed: int
) -> Estimate:
    """Percentile interval of a statistic of cell counts, such as a confusion matrix.

    Resampling n rows with replacement changes the counts as one multinomial draw does, so each
    resample costs four numbers instead of n.

    Args:
        counts: rows per cell, in any order.
        statistic: from counts of shape ``(m, cells)`` to values of shape ``(m,)``; NaN is left out.
    """
    cells = np.asarray(counts, dtype=np.int64)
    total = int(cells.sum())
    if total == 0:
        raise NotComputable("there is no row to compute it from")
    value = float(statistic(cells[None, :])[0])
    if not np.isfinite(value):
        raise NotComputable("it is not defined for these rows")
    draws = np.random.default_rng(seed).multinomial(total, cells / total, size=RESAMPLES)
    values = statistic(draws)
    lower, upper = np.nanquantile(values, (0.025, 0.975))
    return Estimate(value, float(lower), float(upper))


#: From here on a bin's sum is as good as normal, and is drawn instead of its rows.
MANY_ROWS = 20_000


def bootstrap_bins(
    bins: NDArray[np.int64],
    values: Floats,
    statistic: Callable[[NDArray[np.int64], Floats], Floats],
    *,
    seed: int,
    many: int = MANY_ROWS,
) -> Estimate:
    """Basic bootstrap interval of a statistic of per-bin sums, never below zero.

    The *basic* (reflected) interval is used because such statistics, a calibration error above
    all, are biased upwards by resampling: a percentile interval can lie wholly above the value.

    Args:
        bins: bin number of each row, shape ``(n,)``.
        values: per-row quantity to be summed per bin, shape ``(n,)``.
        statistic: from rows and sums per bin, each ``(m, bins)``, to numbers >= 0, ``(m,)``.
        many: with at least this many rows, bin sums are drawn from their normal limit, which costs
            the same whatever the number of rows.
    """
    n = bins.size
    if n == 0:
        raise NotComputable("there is no row to compute it from")
    rows = np.bincount(bins)
    sums = np.bincount(bins, weights=values, minlength=rows.size).astype(np.float64)
    value = float(statistic(rows[None, :], sums[None, :])[0])
    generator = np.random.default_rng(seed)
    if n < many:
        drawn_rows = np.empty((RESAMPLES // 5, rows.size), dtype=np.int64)
        drawn_sums = np.empty(drawn_rows.shape)
        for index in range(len(drawn_rows)):
            picked = generator.integers(0, n, size=n)
            drawn_rows[index] = np.bincount(bins[picked], minlength=rows.size)
            drawn_sums[index] = np.bincount(
                bins[picked], weights=values[picked], minlength=rows.size
            )
    else:
        means = sums / np.maximum(rows, 1)
        squares = np.bincount(bins, weights=values**2, minlength=rows.size)
        spreads = np.sqrt(np.maximum(squares / np.maximum(rows, 1) - means**2, 0.0))
        drawn_rows = generator.multinomial(n, rows / n, size=RESAMPLES)
        noise = generator.standard_normal(drawn_rows.shape)
        drawn_sums = drawn_rows * means + np.sqrt(drawn_rows) * spreads * noise
    low, high = np.quantile(statistic(drawn_rows, drawn_sums), (0.025, 0.975))
    lower = max(0.0, min(value, 2 * value - float(high)))
    upper = max(value, 2 * value - float(low))
    return Estimate(value, lower, upper)
