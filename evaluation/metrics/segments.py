"""Rows cut into groups by one column: categories as they are, numbers into quantile bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics.intervals import wilson

if TYPE_CHECKING:
    from evaluation.metrics.comparison import Flips

MISSING = "(missing)"
OTHER = "(other)"
#: A number with at most this many different values is a category, not a quantity.
FEW_VALUES = 10


@dataclass(frozen=True, slots=True)
class Grouping:
    """``codes[i]`` is the group of row ``i``, an index into ``names``."""

    column: str
    names: list[str]
    codes: NDArray[np.int64]

    def sizes(self) -> NDArray[np.int64]:
        return np.bincount(self.codes, minlength=len(self.names))


def group_by(column: str, values: Sequence[Any], *, bins: int = 5, at_most: int = 15) -> Grouping:
    """Group rows by a column's values.

    Args:
        values: one per row; None and NaN are missing, a group of their own.
        bins: quantile bins of a number with more than ten different values.
        at_most: categories kept by name, the biggest; the others are together ``(other)``.
    """
    absent = np.array([_is_missing(value) for value in values], dtype=np.bool_)
    present = [value for value, gone in zip(values, absent, strict=True) if not gone]
    numeric = bool(present) and all(
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, (bool, np.bool_))
        for value in present
    )
    if numeric and len(set(present)) > FEW_VALUES:
        names, found = _binned(np.asarray(present, dtype=np.float64), bins)
    else:
        names, found = _categories([_text(value) for value in present], at_most, numeric=numeric)
    codes = np.full(len(values), len(names), dtype=np.int64)
    codes[~absent] = found
    if absent.any():
        names = [*names, MISSING]
    return Grouping(column, names, codes)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, (float, np.floating)) and not np.isfinite(value))


def _text(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        return f"{value:g}"
    return str(value)[:100]


def _binned(numbers: NDArray[np.float64], bins: int) -> tuple[list[str], NDArray[np.int64]]:
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, bins + 1)))
    inner = edges[1:-1]
    codes = np.asarray(np.searchsorted(inner, numbers, side="left"), dtype=np.int64)
    names = []
    for index in range(inner.size + 1):
        if index == 0:
            names.append(f"≤ {inner[0]:.4g}" if inner.size else f"{edges[0]:.4g}")
        elif index == inner.size:
            names.append(f"> {inner[-1]:.4g}")
        else:
            names.append(f"{inner[index - 1]:.4g} – {inner[index]:.4g}")
    return names, codes


def _categories(
    texts: list[str], at_most: int, *, numeric: bool
) -> tuple[list[str], NDArray[np.int64]]:
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    biggest = sorted(counts, key=lambda name: (-counts[name], name))[:at_most]
    names = sorted(biggest, key=float) if numeric else sorted(biggest)
    if len(counts) > at_most:
        names.append(OTHER)
    position = {name: index for index, name in enumerate(names)}
    other = len(names) - 1
    return names, np.array([position.get(text, other) for text in texts], dtype=np.int64)


def flips_by_segment(
    changed: Flips, grouping: Grouping, *, min_rows: int = 30
) -> list[dict[str, Any]]:
    """Flips per group with the Wilson interval of their share; too small a group is marked."""
    sizes = grouping.sizes()
    up = np.bincount(grouping.codes, weights=changed.to_positive, minlength=sizes.size)
    down = np.bincount(grouping.codes, weights=changed.to_negative, minlength=sizes.size)
    result: list[dict[str, Any]] = []
    for index in np.flatnonzero(sizes):
        rows, gained, lost = int(sizes[index]), int(up[index]), int(down[index])
        result.append(
            {
                "segment": grouping.column,
                "value": grouping.names[index],
                "rows": rows,
                "to_positive": gained,
                "to_negative": lost,
                "share": wilson(gained + lost, rows).as_json(),
                "too_small": rows < min_rows,
            }
        )
    return result
