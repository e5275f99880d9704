"""The application does not run with a database role that could rewrite the trail."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# Superusers and members of the owning role can switch the triggers off.
_MAY_REWRITE = """
    SELECT r.rolname FROM pg_catalog.pg_class c, pg_catalog.pg_roles r
    WHERE c.oid = to_regclass('public.audit_event') AND r.rolname = current_user
    AND (r.rolsuper OR pg_has_role(r.oid, c.relowner, 'MEMBER'))
"""
_checked: set[tuple[str, str, str]] = set()


def insist_limited_role(sender: Any, connection: Any, **kwargs: Any) -> None:
    """At a process's first connection; only for processes that are the application.

    Raises: ImproperlyConfigured: the role owns the trail, or is a superuser.
    """
    if settings.ENV.database_role != "app" or connection.vendor != "postgresql":
        return
    name = connection.settings_dict
    key = (connection.alias, str(name.get("NAME")), str(name.get("USER")))
    if key in _checked:
        return
    with connection.cursor() as cursor:
        cursor.execute(_MAY_REWRITE)
        row = cursor.fetchone()
    if row is not None:
        connection.close()
        raise ImproperlyConfigured(
            f"DATABASE_URL connects as {row[0]}, who could rewrite the audit trail. "
            "The application needs a role of its own, without ownership: see docs/configuration.md."
        )
    _checked.add(key)
