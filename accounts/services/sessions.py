"""Ending browsers' sessions."""

from __future__ import annotations

from accounts.models import Session, User
from common.errors import NotFound


def end_all(user: User, *, keep: str | None = None) -> int:
    """End every session of a person (but ``keep``, a session key); returns how many."""
    mine = Session.objects.filter(user=user)
    if keep is not None:
        mine = mine.exclude(session_key=keep)
    count, _ = mine.delete()
    return count


def end(*, user: User, public_id: str) -> None:
    """End one of a person's own sessions, named by ``public_id`` and never by its key.

    Raises:
        NotFound: they have no such session.
    """
    for session in Session.objects.filter(user=user):
        if session.public_id == public_id:
            session.delete()
            return
    raise NotFound("There is no such session.")
