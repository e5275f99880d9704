"""What is kept of each column of a table: counts, spread, shares (pure; numpy and Arrow only).

A profile is read by people and gates, not a copy of the data: minimum and maximum are rounded
outwards to three figures, values are listed only when at least ``RARE`` rows share them, and of
nearly unique text only counts and lengths are kept.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Distinct values are counted exactly up to here; a column with more says None.
MAX_DISTINCT = 10_000
#: A value that fewer rows share is not listed: it could be one person's.
RARE = 5
TOP = 10
BINS = 20


def kind_of(type_: pa.DataType) -> str | None:
    """``number``, ``integer``, ``boolean``, ``text`` or ``time``; None for no table cell."""
    if pa.types.is_dictionary(type_):
        return kind_of(type_.value_type)
    if pa.types.is_boolean(type_):
        return "boolean"
    if pa.types.is_integer(type_):
        return "integer"
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "number"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_null(type_):
        return "text"
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        return "time"
    return None


class ColumnProfile:
    """Fed batch by batch, twice for numbers: first for their range, then for the histogram."""

    def __init__(self, name: str, kind: str, *, counts_only: bool = False) -> None:
        self.name = name
        self.kind = kind
        self.counts_only = counts_only
        self.rows = 0
        self.nulls = 0
        self._values: Counter[Any] | None = Counter()
        self._n = 0
        self._sum = 0.0
        self._squares = 0.0
        self._shift: float | None = None
        self._low = math.inf
        self._high = -math.inf
        self._infinite = 0
        self._times: tuple[Any, Any] | None = None
        self._lengths: tuple[int, int, int] | None = None
        self._histogram: np.ndarray[Any, np.dtype[np.int64]] | None = None

    def add(self, column: pa.Array) -> None:
        """One batch of the column."""
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        self.rows += len(column)
        if self.kind in ("number", "integer"):
            self._add_numbers(column)
        else:
            self.nulls += column.null_count
        self._count_values(column)
        if self.kind == "text" and len(column) > column.null_count:
            self._add_lengths(column)
        if self.kind == "time" and len(column) > column.null_count:
            ends = pc.min_max(column).as_py()
            low, high = ends["min"], ends["max"]
            if self._times is not None:
                low, high = min(low, self._times[0]), max(high, self._times[1])
            self._times = (low, high)

    @property
    def wants_histogram(self) -> bool:
        return (
            self.kind in ("number", "integer")
            and not self.counts_only
            and self._n > 0
            and math.isfinite(self._high - self._low)
        )

    def add_to_histogram(self, column: pa.Array) -> None:
        """The second reading of a column of numbers."""
        values = _finite(_as_floats(column))
        counts, _ = np.histogram(values, bins=self._edges())
        self._histogram = counts if self._histogram is None else self._histogram + counts

    def result(self) -> dict[str, Any]:
        """The profile as JSON; numbers that a column does not have are left out."""
        known = self.rows - self.nulls
        body: dict[str, Any] = {
            "name": self.name,
            "type": self.kind,
            "nulls": self.nulls,
            "distinct": None if self._values is None else len(self._values),
        }
        if self.counts_only:
            return body
        if self.kind in ("number", "integer"):
            body.update(self._numbers())
        elif self.kind == "time" and self._times is not None:
            body.update(min=_day(self._times[0]), max=_day(self._times[1]))
        elif self.kind == "text" and self._lengths is not None:
            low, high, total = self._lengths
            body["length"] = {"min": low, "max": high, "mean": round(total / known, 1)}
        if self._lists_values(known):
            body["top"], other = self._top()
            if other:
                body["other"] = other
        return body

    def _add_numbers(self, column: pa.Array) -> None:
        values = _as_floats(column)
        missing = int(np.isnan(values).sum())
        self.nulls += missing
        finite = _finite(values)
        self._infinite += len(values) - missing - len(finite)
        if not len(finite):
            return
        if self._shift is None:
            # Sums around a value of the column itself, so that large offsets cancel.
            self._shift = float(finite[0])
        with np.errstate(over="ignore", invalid="ignore"):
            moved = finite - self._shift
            self._sum += float(moved.sum())
            self._squares += float(np.square(moved).sum())
        self._n += len(finite)
        self._low = min(self._low, float(finite.min()))
        self._high = max(self._high, float(finite.max()))

    def _count_values(self, column: pa.Array) -> None:
        if self._values is None:
            return
        counted = pc.value_counts(column.drop_null())
        if len(self._values) + len(counted) > 20 * MAX_DISTINCT:
            self._values = None
            return
        for value, count in zip(
            counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True
        ):
            if not (isinstance(value, float) and math.isnan(value)):
                self._values[value] += count
        if len(self._values) > MAX_DISTINCT:
            self._values = None

    def _add_lengths(self, column: pa.Array) -> None:
        if pa.types.is_null(column.type):
            return
        lengths = pc.utf8_length(column)
        ends = pc.min_max(lengths).as_py()
        low, high, total = ends["min"], ends["max"], pc.sum(lengths).as_py()
        if self._lengths is not None:
            low = min(low, self._lengths[0])
            high = max(high, self._lengths[1])
            total += self._lengths[2]
        self._lengths = (low, high, total)

    def _numbers(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self._infinite:
            body["infinite"] = self._infinite
        if self._shift is None:
            return body
        offset = self._sum / self._n
        mean = self._shift + offset
        # The sample's variance; rounding may leave a constant column a hair below zero.
        variance = max(0.0, (self._squares - self._n * offset * offset) / max(1, self._n - 1))
        body.update(min=outwards(self._low, down=True), max=outwards(self._high, down=False))
        if math.isfinite(mean) and math.isfinite(variance):
            body.update(mean=mean, std=math.sqrt(variance))
        if self._histogram is not None:
            body["histogram"] = {
                "edges": [float(edge) for edge in self._edges()],
                "counts": [int(count) for count in self._histogram],
            }
        return body

    def _edges(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        low, high = outwards(self._low, down=True), outwards(self._high, down=False)
        if self.kind == "integer" and high - low < 2 * BINS:
            # One bin a value: between them nothing can be.
            return np.arange(math.floor(low) - 0.5, math.ceil(high) + 1.0)
        if low == high:
            low, high = low - 0.5, high + 0.5
        return np.linspace(low, high, BINS + 1)

    def _lists_values(self, known: int) -> bool:
        if self._values is None or not known or self.kind in ("number", "time"):
            return False
        if self.kind == "integer":
            return len(self._values) <= 2 * BINS
        return len(self._values) <= max(20, known // 20)

    def _top(self) -> tuple[list[list[Any]], int]:
        values = self._values or Counter()
        common = [(value, count) for value, count in values.most_common(TOP) if count >= RARE]
        other = sum(values.values()) - sum(count for _, count in common)
        return [[_shown(value), count] for value, count in common], other


def outwards(value: float, *, down: bool, figures: int = 3) -> float:
    """The value rounded to ``figures`` significant figures, downwards or upwards.

    >>> outwards(1234.5, down=True), outwards(1234.5, down=False)
    (1230.0, 1240.0)
    """
    if value == 0 or not math.isfinite(value):
        return value
    exponent = math.floor(math.log10(abs(value))) - figures + 1
    if abs(exponent) > 300:
        return value
    scale = 10.0 ** abs(exponent)
    moved = value / scale if exponent >= 0 else value * scale
    nearest = round(moved)
    # 0.7 * 1000 is 700.0000000000001 in binary: what is so near is meant.
    if math.isclose(moved, nearest, rel_tol=1e-12):
        whole = float(nearest)
    else:
        whole = float(math.floor(moved) if down else math.ceil(moved))
    return whole * scale if exponent >= 0 else whole / scale


def _as_floats(column: pa.Array) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers as float64, nulls as NaN."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    cast = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(cast.to_numpy(zero_copy_only=False), dtype=np.float64)


def _finite(
    values: np.ndarray[Any, np.dtype[np.float64]],
) -> np.ndarray[Any, np.dtype[np.float64]]:
    return values[np.isfinite(values)]


def _day(value: Any) -> str:
    return str(value)[:10]


def _shown(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    clean = "".join(char if char.isprintable() else "�" for char in value)
    return clean if len(clean) <= 100 else clean[:100] + "…"
