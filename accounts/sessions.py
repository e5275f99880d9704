"""The session engine: Django's database sessions, each knowing whose it is (SESSION_ENGINE)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from accounts.models import Session

STARTED = "started_at"  # Unix seconds; set by accounts.middleware


class SessionStore(DatabaseStore):
    """Keeps the person's id in a column beside the signed data, where it can be searched."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        session = cast("Session", super().create_model_instance(data))
        user_id = data.get(SESSION_KEY)
        session.user_id = int(user_id) if user_id else None
        # Django builds the row anew for each save: when it began stands in the data.
        session.created_at = datetime.fromtimestamp(data.get(STARTED) or time.time(), UTC)
        return session
