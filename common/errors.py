"""What can go wrong in the domain, said once; the edges turn each into a status and a sentence."""

from __future__ import annotations

from typing import Any


class DomainError(Exception):
    """A refusal that a caller can act upon.

    ``code`` is stable and machine-readable; the message is for a person. ``fields`` maps input
    names to a list of messages, so that a form or a problem document can show them in place.
    """

    code = "domain_error"
    title = "The request was refused"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: dict[str, list[str]] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.fields = fields or {}
        self.extra = extra


class Invalid(DomainError):
    """The input itself is wrong; the same call can never succeed."""

    code = "invalid"
    title = "The input is not valid"


class TooLarge(Invalid):
    """The input is over a documented cap."""

    code = "too_large"
    title = "The input is too large"


class NotAllowed(DomainError):
    """Who asks may not do this."""

    code = "not_allowed"
    title = "Not allowed"


class NotFound(DomainError):
    """No such thing in this workspace (or none that the caller may see)."""

    code = "not_found"
    title = "Not found"


class Conflict(DomainError):
    """The thing's present state forbids it; another state would allow it."""

    code = "conflict"
    title = "Conflicts with the present state"


class InvalidTransition(Conflict):
    """A state machine does not go from here to there."""

    code = "invalid_transition"
    title = "Not possible in this state"


class AlreadyExists(Conflict):
    """The name or content is taken."""

    code = "already_exists"
    title = "Already exists"


class Blocked(Conflict):
    """A gate, a policy or a missing approval stands in the way."""

    code = "blocked"
    title = "Blocked"


class Unavailable(DomainError):
    """Something outside did not answer; trying again later may help."""

    code = "unavailable"
    title = "Temporarily unavailable"
