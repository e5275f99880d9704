"""A categorical column's profile: exact counts of the reference's categories, and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
TOP = 100


@dataclass(frozen=True)
class CategoricalSpec:
    """The categories that are counted by name: the reference's most frequent, at most ``TOP``.

    ``rare`` are the reference's other categories: they count as *other*; any value outside both is
    *unseen*. Rare categories are few enough to keep only for small alphabets (``TOP`` × 10).
    """

    categories: tuple[str, ...]
    rare: frozenset[str]

    @classmethod
    def from_reference(cls, values: pa.Array, top: int = TOP) -> CategoricalSpec:
        """Order by frequency, then by name, so that the same data give the same spec."""
        counted = pc.value_counts(_text(values).drop_null())
        pairs = sorted(
            ((str(item["values"]), int(item["counts"])) for item in counted.to_pylist()),
            key=lambda pair: (-pair[1], pair[0]),
        )
        names = [name for name, _ in pairs]
        return cls(tuple(names[:top]), frozenset(names[top : top * 10]))


@dataclass(frozen=True)
class CategoricalProfile:
    """Counts of one column over some rows; ``a + b`` is the profile of both.

    ``counts`` has shape ``(len(categories) + 2,)``: each category, then *other*, then *unseen*.
    """

    counts: Ints
    rows: int
    nulls: int

    @classmethod
    def of(cls, values: pa.Array, spec: CategoricalSpec) -> CategoricalProfile:
        """Profile an Arrow array of any type; values are compared as text."""
        text = _text(values)
        counts = np.zeros(len(spec.categories) + 2, dtype=np.int64)
        place = {name: index for index, name in enumerate(spec.categories)}
        for item in pc.value_counts(text.drop_null()).to_pylist():
            name, count = str(item["values"]), int(item["counts"])
            other = len(spec.categories) + (0 if name in spec.rare else 1)
            counts[place.get(name, other)] += count
        return cls(counts=counts, rows=len(text), nulls=text.null_count)

    @classmethod
    def empty(cls, spec: CategoricalSpec) -> CategoricalProfile:
        return cls(np.zeros(len(spec.categories) + 2, dtype=np.int64), 0, 0)

    def __add__(self, other: CategoricalProfile) -> CategoricalProfile:
        return CategoricalProfile(
            self.counts + other.counts, self.rows + other.rows, self.nulls + other.nulls
        )

    @property
    def unseen(self) -> int:
        """Rows with a value that the reference never had."""
        return int(self.counts[-1])

    def drift_counts(self) -> Ints:
        """Categories, other, unseen, and nulls as one more: going missing is drift."""
        return np.append(self.counts, self.nulls).astype(np.int64)

    def facts(self) -> dict[str, Any]:
        return {"rows": self.rows, "nulls": self.nulls, "unseen": self.unseen}


def labels(spec: CategoricalSpec) -> Sequence[str]:
    """Names for ``drift_counts``, in its order."""
    return [*spec.categories, "other", "unseen", "missing"]


def _text(values: pa.Array) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values if pa.types.is_string(values.type) else values.cast(pa.string())
