"""What evidence is refused for, and why it could not be computed."""

from __future__ import annotations

from typing import TypeVar

from common.errors import Conflict, DomainError, Invalid, NotFound

T = TypeVar("T")


class PredictionsRefused(Invalid):
    """The uploaded predictions do not fit; ``digest`` is of the bytes, when they were read."""

    code = "predictions_refused"
    title = "The predictions file is refused"

    def __init__(self, message: str, *, code: str | None = None, digest: str = "") -> None:
        super().__init__(message, code=code, fields={"predictions": [message]})
        self.digest = digest


class EvidenceNotFound(NotFound):
    code = "evidence_not_found"


class NoEndpoint(Conflict):
    """There is nothing to ask; an endpoint or a predictions file would help."""

    code = "no_endpoint"


class NotOffered(Invalid):
    """This kind of evidence does not exist (yet) for this kind of model."""

    code = "not_offered"


class CannotCompute(DomainError):
    """The rows or answers do not allow it; the message says what would."""

    code = "cannot_compute"


def needed(value: T | None, what: str) -> T:
    """The value, when it is there. Raises: CannotCompute, saying what is missing."""
    if value is None:
        raise CannotCompute(f"There is no {what}.", code="missing")
    return value
