"""The registry's own refusals."""

from __future__ import annotations

from typing import Any

from common.errors import AlreadyExists, Conflict, Invalid, NotAllowed, TooLarge


class ProtectedAlias(NotAllowed):
    """An environment's alias moves only by an approved promotion."""

    code = "protected_alias"
    title = "This alias is protected"


class EverLive(NotAllowed):
    """What was ever live, or may be soon, is not deleted."""

    code = "ever_live"
    title = "This cannot be deleted"


class SameRelease(AlreadyExists):
    """Exactly this content is registered already."""

    code = "release_already_registered"
    title = "This release is registered already"


class DatasetNotReady(Conflict):
    """The table has not been profiled yet, or could not be read."""

    code = "dataset_not_ready"
    title = "The dataset cannot be read yet"


class DatasetRefused(Invalid):
    """The uploaded table itself is at fault; ``digest`` names the bytes that were refused."""

    code = "dataset_refused"
    title = "The dataset was refused"

    def __init__(self, message: str, *, digest: str, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.digest = digest


class DatasetTooLarge(TooLarge):
    """The file is over the cap."""

    code = "dataset_too_large"
    title = "The file is too large"


class WebhookRefused(Invalid):
    """This URL is not one that we call, whoever asks; ``host`` is what may be shown of it."""

    code = "address_refused"
    title = "This address is refused"

    def __init__(self, message: str, *, host: str) -> None:
        super().__init__(message, fields={"url": [message]})
        self.host = host
