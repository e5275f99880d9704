"""Canonical JSON and digests: the same content gives the same bytes on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces, ASCII only, and no floats.

    Floats are refused because their text differs between languages; a caller turns them into
    strings first (``canonical_number``), and so says how exact it means to be.

    Raises: TypeError for a float or a type that JSON does not have.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def canonical_number(value: float) -> str:
    """A float as the shortest text that reads back to the same float."""
    return repr(float(value))


def floats_to_text(value: Any) -> Any:
    """A copy in which every float is its ``canonical_number``; for digests of measured results."""
    if isinstance(value, float):
        return canonical_number(value)
    if isinstance(value, Mapping):
        return {str(key): floats_to_text(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [floats_to_text(item) for item in value]
    return value


def sha256_hex(data: bytes | str) -> str:
    """``sha256:`` and 64 hexadecimal digits, the one spelling of a digest in this code base."""
    raw = data.encode() if isinstance(data, str) else data
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def digest_of(value: Any) -> str:
    """Digest of the canonical JSON of ``value``; floats are allowed and become text."""
    return sha256_hex(canonical_json(floats_to_text(value)))


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("canonical JSON holds no floats: turn them into text first")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError("canonical JSON has text keys only")
            _refuse_floats(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_floats(item)
