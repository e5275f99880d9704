"""Why a call to the outside did not happen or brought nothing. No text quotes an answer."""

from __future__ import annotations

from common.errors import NotAllowed, NotFound, Unavailable


class AddressRefused(NotAllowed):
    """The URL, or an address its name resolves to, may not be dialled."""

    code = "address_refused"
    title = "This address may not be called"


class Unreachable(Unavailable):
    """No connection, a broken one, or an answer that is not HTTP."""

    code = "unreachable"
    title = "The server could not be reached"


class DeadlineExceeded(Unavailable):
    """The whole call, from name to last byte, took longer than it may."""

    code = "deadline_exceeded"
    title = "The server took too long"


class ResponseTooLarge(Unavailable):
    """The answer is over its cap; reading stopped there."""

    code = "response_too_large"
    title = "The answer is too large"


class DestinationNotFound(NotFound):
    code = "destination_not_found"
