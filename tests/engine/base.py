"""Django's PostgreSQL backend with one difference: see ``operations``."""

from __future__ import annotations

from django.db.backends.postgresql import base

from tests.engine.operations import DatabaseOperations


class DatabaseWrapper(base.DatabaseWrapper):
    """What ``DATABASES["default"]["ENGINE"] = "tests.engine"`` loads."""

    ops_class = DatabaseOperations
