"""Flush for transactional tests: append-only tables stop TRUNCATE by trigger, so it is set aside.

The owner of the tables may do that; the application's role may not, and the tests of the trail
prove it. Triggers come back in the state they had, "always" included.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import operations

TRUNCATE = 32  # pg_trigger.tgtype
ENABLE = {"O": "ENABLE TRIGGER", "A": "ENABLE ALWAYS TRIGGER", "R": "ENABLE REPLICA TRIGGER"}

GUARDED = """
    SELECT c.relname, t.tgname, t.tgenabled
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND t.tgtype & %s <> 0 AND t.tgenabled <> 'D' AND c.relname = ANY(%s)
    ORDER BY c.relname, t.tgname
"""


class DatabaseOperations(operations.DatabaseOperations):
    """PostgreSQL's operations with a flush that also empties append-only tables."""

    def sql_flush(self, style: Any, tables: list[str], **options: Any) -> list[str]:
        statements = super().sql_flush(style, tables, **options)
        if not statements:
            return statements
        with self.connection.cursor() as cursor:
            # Foreign keys lead everywhere and flush says CASCADE at times: look at every table.
            cursor.execute(GUARDED, [TRUNCATE, self.connection.introspection.table_names(cursor)])
            guarded = cursor.fetchall()
        quote = self.quote_name
        before = [
            f"ALTER TABLE {quote(table)} DISABLE TRIGGER {quote(name)}"
            for table, name, _ in guarded
        ]
        after = [
            f"ALTER TABLE {quote(table)} {ENABLE[state]} {quote(name)}"
            for table, name, state in guarded
        ]
        return [*before, *statements, *after]
