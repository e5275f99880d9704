"""Wire protocols by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.errors import Invalid
from serving.protocols.mlflow import MLflow

if TYPE_CHECKING:
    from serving.protocols.base import WireProtocol

PROTOCOLS: dict[str, WireProtocol] = {"mlflow": MLflow()}


def protocol_named(name: str) -> WireProtocol:
    """The protocol. Raises: Invalid, naming ``protocol``."""
    try:
        return PROTOCOLS[name]
    except KeyError:
        reason = f"There is no protocol “{name[:50]}”; there is {', '.join(PROTOCOLS)}."
        raise Invalid(reason, fields={"protocol": [reason]}) from None
