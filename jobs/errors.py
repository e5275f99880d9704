"""What a handler raises to say how its work ended, and what a service refuses with."""

from __future__ import annotations

from common.errors import DomainError, NotFound


class Retry(Exception):
    """It may heal: count an attempt and run again after a while.

    ``after_s`` is the wait in seconds; None doubles ``JOB_RETRY_SECONDS`` with every attempt.
    """

    def __init__(self, message: str, code: str = "retry", *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.after_s = after_s


class Fail(Exception):
    """It cannot heal: the job has failed, and the message is for a person."""

    def __init__(self, message: str, code: str = "failed") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class NeedsOperator(Fail):
    """Neither forwards nor back is safe: a person has to look."""


class Cancelled(Exception):
    """The handler noticed the wish to cancel and has stopped cleanly."""


class LeaseLost(Exception):
    """Somebody else has the job now, or it is over. Nothing more may be written; just return."""


class UnknownKind(LookupError):
    """No handler is registered for this kind: a programming error, or an older worker."""


class JobNotFound(NotFound):
    code = "job_not_found"


class NotCancellable(DomainError):
    """This kind is ended elsewhere, where it can be undone properly."""

    code = "not_cancellable"
    title = "This job is not cancelled here"
