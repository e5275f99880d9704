"""What monitoring refuses."""

from __future__ import annotations

from typing import Any

from common.errors import Conflict, Invalid, NotFound, TooLarge


class RowsRefused(Invalid):
    """An upload of predictions or labels is refused whole.

    ``rows`` in the problem names the first bad rows by number, never their values.
    """

    code = "predictions_refused"
    title = "The rows were refused"

    def __init__(self, message: str, *, digest: str = "", **options: Any) -> None:
        super().__init__(message, **options)
        self.digest = digest


class UploadTooLarge(TooLarge):
    """Over the cap of bytes or rows."""


class KeyReused(Conflict):
    """The Idempotency-Key came with other bytes before."""

    code = "idempotency_key_reused"


class MonitorNotFound(NotFound):
    code = "monitor_not_found"
