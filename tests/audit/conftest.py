"""Events to play with: recorded in transactions of their own, as the product does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from audit.actions import Action
from audit.actor import Actor
from audit.models import Event
from audit.services.record import record

ADA = Actor(
    pid="p:ada",
    kind="user",
    label="Ada Lovelace",
    workspace="acme",
    auth={"method": "session"},
    request={"id": "r-1"},
)


def write(number: int = 1, *, actor: Actor = ADA, **fields: Any) -> list[Event]:
    """So many events, each in its own transaction."""
    given = {
        "object_type": "model",
        "object_id": "7",
        "object_name": "credit-risk",
        "pii": {"reason": "checked the holdout"},
        **fields,
    }
    action = given.pop("action", Action.MODEL_CREATED)
    events = []
    for _ in range(number):
        with transaction.atomic():
            events.append(record(action, actor=actor, **given))
    return events


@pytest.fixture
def tamper(db: None) -> Callable[..., None]:
    """Run SQL as the owner of the tables with the trail's triggers off, as an intruder would."""

    def run(*statements: str, params: Any = None) -> None:
        tables = ("event", "leaf", "node", "checkpoint", "pii")
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in tables:
                cursor.execute(f"ALTER TABLE audit_{table} DISABLE TRIGGER USER")
            for statement in statements:
                cursor.execute(statement, params)
            for table in tables:
                cursor.execute(f"ALTER TABLE audit_{table} ENABLE TRIGGER USER")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")

    return run
