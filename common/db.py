"""Statements that are asked all day: planned once a connection, not once a request.

Django sends the values inside the text of each statement, so PostgreSQL plans it again every time;
for a read by index that takes longer than the read. Here the values are bound by the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.db.models import Model

Row = tuple[Any, ...]


def fetch_one(statement: str, values: Sequence[Any]) -> Row | None:
    """The first row of a statement that is written once, in the code."""
    if not _may_prepare():
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            found: Row | None = cursor.fetchone()
        return found
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as bound:
        return bound.execute(statement, values, prepare=True).fetchone()


def fetch_all(statement: str, values: Sequence[Any]) -> list[Row]:
    """Every row of a statement that is written once, in the code."""
    if not _may_prepare():
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            rows: list[Row] = cursor.fetchall()
        return rows
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as bound:
        return bound.execute(statement, values, prepare=True).fetchall()


def columns_of(model: type[Model], *names: str) -> list[str]:
    """The named columns in the order in which ``Model.from_db`` takes their values."""
    known = [field.attname for field in model._meta.concrete_fields]
    unknown = set(names) - set(known)
    if unknown:
        raise ValueError(f"{model.__name__} has no {sorted(unknown)}")
    return [name for name in known if name in names]


def _may_prepare() -> bool:
    # Where queries are counted or wrapped (tests), Django's own cursor is the one that is seen.
    if not settings.DATABASE_PREPARE or connection.queries_logged or connection.execute_wrappers:
        return False
    connection.ensure_connection()
    raw = connection.connection
    if raw.prepare_threshold is None:
        # Django's cursors bind on this side and are never prepared, whatever stands here.
        raw.prepare_threshold = 5
    return True
