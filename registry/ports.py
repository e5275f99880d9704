"""The question the registry cannot answer itself: may a protected alias move?

Governance registers the answer in ``apps.ready()``. While nobody has, the answer is no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel


class AliasGuard(Protocol):
    """Who knows which approval or rollout stands behind a reference."""

    def why_not_move(
        self,
        *,
        model: RegisteredModel,
        name: str,
        version: ModelVersion | None,
        reference: str,
        caller: Caller,
    ) -> str | None:
        """A sentence that says why not, or None when it may. Called with the model locked."""


_guard: AliasGuard | None = None


def register_alias_guard(guard: AliasGuard | None) -> None:
    """Make ``guard`` the one that is asked; None takes it away (tests)."""
    global _guard
    _guard = guard


def alias_guard() -> AliasGuard | None:
    """Who is asked, if anybody."""
    return _guard
