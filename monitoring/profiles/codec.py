"""Specs and profiles as bytes and JSON, and back; the same content gives the same bytes inside."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from monitoring.profiles.categorical import CategoricalProfile, CategoricalSpec
from monitoring.profiles.exact import Exact
from monitoring.profiles.numeric import GRID_EDGES, NumericProfile, NumericSpec

Spec = NumericSpec | CategoricalSpec
Profile = NumericProfile | CategoricalProfile
#: What the database hands over.
Bytes = bytes | memoryview
#: First byte of everything stored: layout and grid may change one day.
VERSION = b"\x01"
_MOST_BYTES = 16 * 1024 * 1024


class Damaged(ValueError):
    """The stored bytes are not what was written."""


def pack_spec(spec: Spec) -> bytes:
    """A spec in compressed form."""
    if isinstance(spec, NumericSpec):
        raw = bytes([spec.is_discrete]) + spec.edges.astype("<f8").tobytes()
    else:
        raw = json.dumps(
            {
                "categories": spec.categories,
                "rare": sorted(spec.rare),
                "salt": spec.salt.hex(),
            },
            separators=(",", ":"),
        ).encode()
    return _packed(raw)


def unpack_spec(kind: str, data: Bytes) -> Spec:
    """The spec of a ``numeric`` or ``categorical`` column. Raises: Damaged."""
    raw = _unpacked(data)
    if kind == "numeric":
        if len(raw) % 8 != 1:
            raise Damaged("a numeric spec has another length")
        return NumericSpec(np.frombuffer(raw[1:], dtype="<f8").astype(np.float64), raw[0] == 1)
    content = json.loads(raw)
    return CategoricalSpec(
        tuple(content["categories"]), frozenset(content["rare"]), bytes.fromhex(content["salt"])
    )


def pack_counts(profile: Profile) -> bytes:
    """A profile's integer arrays in compressed form; the rest of it is ``facts()``."""
    arrays = (
        [profile.bins, profile.grid] if isinstance(profile, NumericProfile) else [profile.counts]
    )
    return _packed(np.concatenate(arrays).astype("<i8").tobytes())


def unpack_profile(spec: Spec, counts: Bytes, facts: Mapping[str, Any]) -> Profile:
    """The profile that was counted on ``spec``. Raises: Damaged."""
    raw = _unpacked(counts)
    if len(raw) % 8:
        raise Damaged("counts have another length")
    array = np.frombuffer(raw, dtype="<i8").astype(np.int64)
    if isinstance(spec, CategoricalSpec):
        if array.size != len(spec.categories) + 2:
            raise Damaged("counts of another spec")
        return CategoricalProfile(array, int(facts["rows"]), int(facts["nulls"]))
    split = spec.edges.size + 1
    if array.size != split + GRID_EDGES.size + 1:
        raise Damaged("counts of another spec")
    return NumericProfile(
        bins=array[:split],
        grid=array[split:],
        rows=int(facts["rows"]),
        nulls=int(facts["nulls"]),
        pos_inf=int(facts["pos_inf"]),
        neg_inf=int(facts["neg_inf"]),
        zeros=int(facts["zeros"]),
        total=Exact.from_json(facts["total"]),
        total_sq=Exact.from_json(facts["total_sq"]),
    )


def _packed(raw: bytes) -> bytes:
    return VERSION + zlib.compress(raw, 6)


def _unpacked(data: Bytes) -> bytes:
    content = bytes(data)
    if content[:1] != VERSION:
        raise Damaged("another layout")
    try:
        return zlib.decompressobj().decompress(content[1:], _MOST_BYTES)
    except zlib.error as error:
        raise Damaged(str(error)) from None
