"""What can go wrong with the trail."""

from __future__ import annotations

from common.errors import Conflict, Unavailable


class TransactionRequired(RuntimeError):
    """An event was recorded outside its change's transaction: a mistake in our code."""


class TrailBroken(RuntimeError):
    """A row of the trail is not what was recorded. Sealing stops; a person has to look."""


class NotSealed(Unavailable):
    """The events are not inside a signed checkpoint yet: the sealer is behind, or does not run."""

    code = "not_sealed"
    title = "Not sealed yet"


class NothingSealed(Conflict):
    """There is no signed checkpoint, so there is nothing that an export could prove."""

    code = "nothing_sealed"
    title = "Nothing is sealed yet"
