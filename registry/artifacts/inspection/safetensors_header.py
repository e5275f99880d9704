"""The header of a safetensors file: names, types and shapes of tensors."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import IO, Any

from registry.artifacts.inspection.errors import Unreadable

MAX_HEADER = 16 * 1024 * 1024
MAX_SHOWN = 100


def read(file: IO[bytes], size: int) -> dict[str, Any]:
    """Tensors and what is said beside them. Raises: Unreadable."""
    length = int.from_bytes(file.read(8), "little")
    if length > min(MAX_HEADER, size - 8):
        raise Unreadable("Its header is longer than the file or than 16 MB.")
    try:
        header = json.loads(file.read(length))
    except ValueError:
        raise Unreadable("Its header is no JSON.") from None
    if not isinstance(header, dict):
        raise Unreadable("Its header names no tensors.")
    beside = header.pop("__metadata__", {})
    tensors = [_tensor(name, it, size - 8 - length) for name, it in header.items()]
    return {
        "tensors_count": len(tensors),
        "parameters": sum(math.prod(it["shape"]) for it in tensors),
        "types": dict(Counter(it["type"] for it in tensors).most_common(20)),
        "metadata": dict(list(beside.items())[:20]) if isinstance(beside, dict) else {},
        "tensors": tensors[:MAX_SHOWN],
    }


def _tensor(name: str, given: Any, room: int) -> dict[str, Any]:
    try:
        kind, shape = str(given["dtype"]), [int(side) for side in given["shape"]]
        start, stop = (int(it) for it in given["data_offsets"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Unreadable("A tensor's entry is malformed.") from None
    if not 0 <= start <= stop <= room or any(not 0 <= side < 2**40 for side in shape):
        raise Unreadable("A tensor lies outside the file: it was cut, or is damaged.")
    if len(shape) > 16:
        raise Unreadable("A tensor has more than 16 dimensions.")
    return {"name": name, "type": kind, "shape": shape}
