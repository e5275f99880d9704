"""Signed-in browsers, each with its person: so that one person's can be shown and ended."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac


class Session(AbstractBaseSession):
    """One browser's session; ``user`` is null until somebody signs in with it."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="sessions"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta(AbstractBaseSession.Meta):
        abstract = False
        verbose_name = "session"
        verbose_name_plural = "sessions"

    @property
    def ends_at(self) -> datetime:
        """When it is over whatever happens; unused it ends much earlier."""
        return self.created_at + timedelta(seconds=settings.SESSION_COOKIE_AGE)

    @property
    def public_id(self) -> str:
        """Names the session on a page; its key would open it."""
        return salted_hmac("accounts.session", self.session_key, algorithm="sha256").hexdigest()[
            :20
        ]

    @classmethod
    def get_session_store_class(cls) -> type[DatabaseStore]:
        from accounts.sessions import SessionStore

        return SessionStore
