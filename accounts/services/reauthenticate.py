"""The password again, right before a signature."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from django.core.cache import cache
from redis.exceptions import RedisError

from accounts.models import User
from common.errors import NotAllowed, Unavailable

LIMIT = 10
WINDOW = timedelta(minutes=15)


class WrongPassword(NotAllowed):
    code = "wrong_password"
    title = "Wrong password"


class TooManyAttempts(NotAllowed):
    code = "too_many_attempts"
    title = "Too many wrong passwords"


def insist_password(user: User, password: str) -> None:
    """Raise unless this is the person's password and they may still sign in.

    Whoever asks sits in the person's own session, so the count is by person: ten wrong ones close
    this for fifteen minutes, right ones included. It stands in Redis and not in the database, where
    the caller's rollback would take it back; without Redis nothing is signed.

    Raises:
        WrongPassword: code ``wrong_password``.
        TooManyAttempts: code ``too_many_attempts``.
        Unavailable: the count cannot be kept.
    """
    key = f"accounts.reauthenticate.{user.pk}"
    if _attempts(key) > LIMIT:
        raise TooManyAttempts("Too many wrong passwords. Try again in fifteen minutes.")
    current = User.objects.get(pk=user.pk)  # the session's copy may be older than a change
    if not current.is_active or not password or not current.check_password(password):
        raise WrongPassword("This is not your password.", fields={"password": ["Wrong password."]})
    _forget(key)


def _attempts(key: str) -> int:
    """Count this attempt first: many at once must not all see the same number."""
    try:
        cache.add(key, 0, int(WINDOW.total_seconds()))
        return int(cache.incr(key))
    except ValueError:  # it expired between the two
        return 1
    except (RedisError, OSError) as error:
        raise Unavailable("Passwords cannot be checked right now. Try again shortly.") from error


def _forget(key: str) -> None:
    with suppress(RedisError, OSError):  # it expires by itself
        cache.delete(key)
