"""All that a call to one endpoint needs, read from the database once, usable in any thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from accounts.models import Workspace
from common.errors import Conflict, DomainError
from outbound.errors import AddressRefused, DeadlineExceeded, ResponseTooLarge, Unreachable
from serving import mapping as mappings
from serving import secrets
from serving.errors import EndpointRejected, EndpointUnavailable
from serving.protocols import protocol_named
from serving.protocols.base import Prediction, WireProtocol

if TYPE_CHECKING:
    from outbound.responses import Response
    from serving.models import Endpoint

#: A score takes some 25 bytes; the rest is room for answers of many classes.
MAX_ANSWER_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wire:
    """One endpoint as its callers see it. ``deadline_s`` is total, per HTTP call."""

    url: str
    workspace: Workspace
    protocol: WireProtocol
    mapping: Mapping[str, Any]
    columns: Sequence[str]
    deadline_s: float
    max_batch_rows: int
    headers: Mapping[str, str] = field(repr=False)

    def body(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """Raises: Invalid when a row lacks a column or holds what cannot be sent."""
        return self.protocol.encode(rows, self.columns)

    def prediction(self, response: Response, rows: int) -> Prediction:
        """Raises: EndpointUnavailable, EndpointRejected."""
        self.protocol.insist_ok(response.status, response.content)
        answer = mappings.parse(response.content)
        return Prediction(
            scores=mappings.scores(answer, self.mapping, rows),
            latency_ms=response.elapsed_ms,
            raw_shape=mappings.shape(answer, self.mapping),
        )


def wire_of(endpoint: Endpoint, *, deadline_s: float | None = None) -> Wire:
    """Raises: Conflict when the endpoint is retired, SecretUnreadable."""
    if endpoint.retired_at is not None:
        raise Conflict(f"The endpoint {endpoint.name} is retired.", code="endpoint_retired")
    protocol = protocol_named(endpoint.protocol)
    headers = {"content-type": protocol.content_type, "accept": "application/json"}
    for secret in endpoint.secrets.all():
        headers[secret.header] = secrets.decrypt(
            bytes(secret.ciphertext), bound_to=binding(endpoint, secret.header)
        )
    return Wire(
        url=endpoint.url,
        workspace=endpoint.workspace,
        protocol=protocol,
        mapping=endpoint.mapping,
        columns=endpoint.input_columns,
        deadline_s=endpoint.timeout_ms / 1000 if deadline_s is None else deadline_s,
        max_batch_rows=endpoint.max_batch_rows,
        headers=headers,
    )


def binding(endpoint: Endpoint, header: str) -> str:
    """What a secret's ciphertext is bound to: a copied row opens nowhere else."""
    return f"{endpoint.uid}:{header}"


def explained(error: DomainError) -> EndpointUnavailable | EndpointRejected:
    """An error of the outbound client as one of ours, by what a caller can do about it."""
    if isinstance(error, AddressRefused):
        return EndpointRejected(error.message, code="refused_address")
    if isinstance(error, ResponseTooLarge):
        return EndpointRejected(
            f"The answer is over {MAX_ANSWER_BYTES // 1024**2} MB.", code="too_large"
        )
    if isinstance(error, DeadlineExceeded):
        return EndpointUnavailable(error.message, code="timeout")
    return EndpointUnavailable(error.message, code="unreachable")


#: What the outbound client raises; anything else is a mistake of ours and stays one.
OUTBOUND_ERRORS = (AddressRefused, Unreachable, DeadlineExceeded, ResponseTooLarge)
