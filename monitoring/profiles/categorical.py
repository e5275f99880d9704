"""A categorical column's profile: exact counts of the reference's categories, and the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
TOP = 100
#: A category of fewer reference rows than this is not kept by name: it might name a person.
LEAST_ROWS = 5
#: So many rare categories are told from unseen ones; a reference with more is no category column.
MOST_RARE = 5000


@dataclass(frozen=True)
class CategoricalSpec:
    """The categories that are counted by name: the reference's most frequent, at most ``TOP``.

    ``rare`` are keyed hashes of the reference's other categories: they count as *other*; any value
    outside both is *unseen*. No rare category's name is kept.
    """

    categories: tuple[str, ...]
    rare: frozenset[str]
    salt: bytes = b""

    @classmethod
    def from_reference(
        cls, values: pa.Array, *, salt: bytes = b"", top: int = TOP, least_rows: int = LEAST_ROWS
    ) -> CategoricalSpec:
        """Order by frequency, then by name, so that the same data give the same spec."""
        pairs = sorted(_value_counts(values), key=lambda pair: (-pair[1], pair[0]))
        named = [name for name, count in pairs[:top] if count >= least_rows]
        rest = [name for name, _ in pairs[len(named) :][:MOST_RARE]]
        return cls(tuple(named), frozenset(_hashed(name, salt) for name in rest), salt)

    def place(self, name: str) -> int:
        """Where a value counts: its own place, *other*, or *unseen* (the last)."""
        try:
            return self.categories.index(name)
        except ValueError:
            return len(self.categories) + (_hashed(name, self.salt) not in self.rare)


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
        counts = np.zeros(len(spec.categories) + 2, dtype=np.int64)
        for name, count in _value_counts(values):
            counts[spec.place(name)] += count
        return cls(counts=counts, rows=len(values), nulls=values.null_count)

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

    def with_nulls(self) -> Ints:
        """Categories, other, unseen, and nulls as one more: going missing is drift."""
        return np.append(self.counts, self.nulls).astype(np.int64)

    def facts(self) -> dict[str, Any]:
        return {"rows": self.rows, "nulls": self.nulls, "unseen": self.unseen}


def labels(spec: CategoricalSpec) -> Sequence[str]:
    """Names for ``with_nulls``, in its order."""
    return [*spec.categories, "other", "unseen", "missing"]


def _value_counts(values: pa.Array) -> list[tuple[str, int]]:
    counted = pc.value_counts(_text(values).drop_null())
    return [(str(item["values"]), int(item["counts"])) for item in counted.to_pylist()]


def _hashed(name: str, salt: bytes) -> str:
    return hashlib.blake2b(name.encode(), key=salt[:64], digest_size=8).hexdigest()


def _text(values: pa.Array) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values if pa.types.is_string(values.type) else values.cast(pa.string())
