"""What a wire protocol knows: how rows are written, and what its servers mean by a status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an endpoint answered to some rows.

    Attributes:
        scores: shape ``(n,)``, finite, in the order of the rows.
        latency_ms: from the call to the whole answer, summed over the calls it took.
        raw_shape: what the answer looked like before the mapping, for people.
        calls: HTTP calls made.
    """

    scores: NDArray[np.float64]
    latency_ms: float
    raw_shape: str
    calls: int = 1


class WireProtocol(Protocol):
    """One wire format. Implementations hold no state and do no input or output."""

    content_type: str

    def url(self, given: str) -> str:
        """The URL to post rows to; a bare server address gets the protocol's own path."""

    def encode(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
        """The body. Raises: Invalid when a row lacks a column or holds what JSON has not."""

    def insist_ok(self, status: int, body: bytes) -> None:
        """Raise EndpointUnavailable or EndpointRejected unless the status is a success's."""
