"""What delivery asks upwards: is this approval still good? Nobody answering means no."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from delivery.models import Rollout


@dataclass(frozen=True, slots=True)
class Standing:
    """An approval as a reader of a route is told of it."""

    label: str
    url: str
    valid_until: datetime


class Authority(Protocol):
    """Knows about approvals; implemented in governance."""

    def why_not(self, *, reference: str, release_digest: str, environment: str) -> str | None:
        """Why this release may not go there now, as a sentence; None when it may.

        Called inside the transaction that is about to move traffic, so it may lock.
        """
        ...

    def approval_events(self, reference: str) -> list[int]:
        """Ids of the audit events that make up the approval; they must be sealed first."""
        ...

    def conclude(self, *, reference: str, outcome: str, rollout: Rollout) -> None:
        """Told in the closing transaction: ``succeeded``, ``rolled_back`` or ``failed``."""
        ...

    def standing(self, reference: str) -> Standing | None:
        """What is known of this approval; None when it names none."""
        ...


class _Nobody:
    def why_not(self, *, reference: str, release_digest: str, environment: str) -> str | None:
        return "No authority over approvals is installed, so nothing may be rolled out."

    def approval_events(self, reference: str) -> list[int]:
        return []

    def conclude(self, *, reference: str, outcome: str, rollout: Rollout) -> None:
        return None

    def standing(self, reference: str) -> Standing | None:
        return None


_authority: Authority = _Nobody()


def register_authority(authority: Authority) -> None:
    """Install the one authority; called by the upper app's ``ready()``."""
    global _authority
    _authority = authority


def authority() -> Authority:
    """The installed authority, or one that refuses everything."""
    return _authority
