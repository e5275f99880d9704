"""The test engine's flush empties the append-only trail and leaves its guards as they were."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from audit.actions import Action
from audit.actor import Actor
from audit.models import Event
from audit.services.record import record

TRIGGERS = """
    SELECT c.relname, t.tgname, t.tgenabled, t.tgtype FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal ORDER BY 1, 2
"""


def triggers():
    with connection.cursor() as cursor:
        cursor.execute(TRIGGERS)
        return cursor.fetchall()


@pytest.mark.django_db(transaction=True)
def test_flush_empties_the_trail_and_restores_its_guards():
    before = triggers()
    with transaction.atomic():
        record(
            Action.WORKSPACE_CREATED,
            actor=Actor.system("test"),
            object_type="workspace",
            object_id="acme",
        )
    assert Event.objects.count() == 1

    call_command("flush", interactive=False, verbosity=0)

    assert Event.objects.count() == 0
    assert triggers() == before
    assert any(kind & 32 for *_, kind in before), "some trigger guards against TRUNCATE"
    with (
        pytest.raises(DatabaseError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("TRUNCATE audit_event CASCADE")
