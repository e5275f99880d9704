"""What the trail says about signing in and about passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.models import Membership, User
from accounts.services import sessions
from audit.actions import Action
from audit.services import record as audit

if TYPE_CHECKING:
    from audit.actor import Actor


@transaction.atomic
def signed_in(*, user: User, actor: Actor) -> None:
    """Record that a person signed in."""
    audit.record(
        Action.SIGNED_IN,
        actor=actor,
        workspace=_only_workspace(user),
        object_type="person",
        object_id=user.pid,
        object_name=str(user),
    )


@transaction.atomic
def sign_in_failed(*, email: str, actor: Actor, reason: str) -> None:
    """Record a failed attempt; the address that was typed is personal data, even if nobody's."""
    user = User.objects.filter(email__iexact=email).first() if email else None
    audit.record(
        Action.SIGNED_IN_FAILED,
        actor=actor,
        workspace=_only_workspace(user) if user is not None else "",
        object_type="person",
        object_id=user.pid if user is not None else "unknown",
        details={"code": reason},
        pii={"email": email[:254]} if email else {},
    )


@transaction.atomic
def password_changed(*, user: User, actor: Actor, keep: str | None) -> None:
    """End the person's other sessions, and record the change."""
    ended = sessions.end_all(user, keep=keep)
    audit.record(
        Action.PASSWORD_CHANGED,
        actor=actor,
        workspace=_only_workspace(user),
        object_type="person",
        object_id=user.pid,
        object_name=str(user),
        details={"sessions_ended": ended},
    )


def _only_workspace(user: User) -> str:
    """Signing in belongs to no workspace; where there is only one, its auditors should see it."""
    slugs = set(Membership.objects.filter(user=user).values_list("workspace__slug", flat=True))
    return slugs.pop() if len(slugs) == 1 else ""
