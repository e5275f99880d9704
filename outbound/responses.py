"""What a call to the outside brought back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whole and within its cap. Header names are lower-case; redirects are answers too.

    ``content`` is as it came over the wire: nothing is decompressed, and none was asked for.
    ``address`` is the literal that was dialled, where the client keeps it.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    elapsed_ms: float
    address: str = ""
