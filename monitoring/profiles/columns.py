"""From an Arrow column to its profile, by the column's kind and policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitoring.profiles.categorical import CategoricalProfile, CategoricalSpec
from monitoring.profiles.numeric import NumericProfile, NumericSpec

if TYPE_CHECKING:
    from monitoring.profiles.codec import Profile, Spec

NUMERIC, CATEGORICAL = "numeric", "categorical"
KEEP, COUNT = "keep", "count"


def floats(values: pa.Array) -> NDArray[np.float64]:
    """Numbers or booleans as float64, a null as NaN."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    # safe=False: an integer over 2**53 becomes the nearest float; it is only put into a bin.
    numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.float64)


def lengths(values: pa.Array) -> NDArray[np.float64]:
    """How many characters each value has as text: all that is kept of a ``count`` column."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_floating(values.type):
        # An integer column that came as floats: 12345.0 is as long as 12345.
        values = pc.round(values).cast(pa.int64(), safe=False)
    return floats(pc.utf8_length(values.cast(pa.string())))


def spec_of(values: pa.Array, *, kind: str, policy: str, salt: bytes) -> Spec:
    """The frozen spec of a reference column. Raises: ValueError when it holds nothing to count."""
    if policy == COUNT:
        return NumericSpec.from_reference(lengths(values))
    if kind == NUMERIC:
        return NumericSpec.from_reference(floats(values))
    return CategoricalSpec.from_reference(values, salt=salt)


def profile_of(values: pa.Array, spec: Spec, *, policy: str) -> Profile:
    """The profile of some rows on a frozen spec."""
    if isinstance(spec, CategoricalSpec):
        return CategoricalProfile.of(values, spec)
    return NumericProfile.of(lengths(values) if policy == COUNT else floats(values), spec)


def add(one: Profile, other: Profile) -> Profile:
    """Both together. Raises: TypeError when they are of different kinds."""
    if isinstance(one, NumericProfile) and isinstance(other, NumericProfile):
        return one + other
    if isinstance(one, CategoricalProfile) and isinstance(other, CategoricalProfile):
        return one + other
    raise TypeError("profiles of different kinds do not add up")


def stored_kind(kind: str, policy: str) -> str:
    """How the column's profile is stored: lengths are numbers."""
    return NUMERIC if policy == COUNT else kind
