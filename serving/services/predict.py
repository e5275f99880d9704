"""Asking an endpoint for scores, now, by the control client. Traffic goes by ``traffic.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import Invalid
from outbound import client
from serving.protocols.base import Prediction
from serving.wire import MAX_ANSWER_BYTES, OUTBOUND_ERRORS, Wire, explained, wire_of

if TYPE_CHECKING:
    from serving.models import Endpoint


def predict(
    endpoint: Endpoint, rows: Sequence[Mapping[str, Any]], *, deadline_s: float | None = None
) -> Prediction:
    """One finite score for each row, in order; more rows than a batch takes go in several calls.

    Args:
        deadline_s: total, per call; the endpoint's own unless given.

    Raises: EndpointUnavailable (try again), EndpointRejected (do not), Invalid (a row that cannot
        be sent), Conflict (retired).
    """
    if not rows:
        raise Invalid("There is no row to predict.", fields={"rows": ["At least one row."]})
    wire = wire_of(endpoint, deadline_s=deadline_s)
    parts = [
        _call(wire, rows[start : start + wire.max_batch_rows])
        for start in range(0, len(rows), wire.max_batch_rows)
    ]
    return joined(parts)


def joined(parts: Sequence[Prediction]) -> Prediction:
    """Several calls' answers as one, in their order."""
    if len(parts) == 1:
        return parts[0]
    return Prediction(
        scores=np.concatenate([part.scores for part in parts]),
        latency_ms=sum(part.latency_ms for part in parts),
        raw_shape=parts[0].raw_shape,
        calls=sum(part.calls for part in parts),
    )


def _call(wire: Wire, rows: Sequence[Mapping[str, Any]]) -> Prediction:
    try:
        response = client.request(
            "POST",
            wire.url,
            workspace=wire.workspace,
            headers=wire.headers,
            content=wire.body(rows),
            deadline_s=wire.deadline_s,
            max_bytes=MAX_ANSWER_BYTES,
            purpose="serving.predict",
        )
    except OUTBOUND_ERRORS as error:
        raise explained(error) from None
    return wire.prediction(response, len(rows))
