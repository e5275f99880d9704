"""Who may read the trail, and take it away."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.actor import Actor
from audit.services.record import record
from tests.permissions import Row


def an_event(workspace: Any) -> dict[str, Any]:
    with transaction.atomic():
        event = record(
            Action.MODEL_CREATED,
            actor=Actor.system("test", workspace=workspace.slug),
            object_type="model",
            object_id="1",
            object_name="credit-risk",
        )
    return {"uid": event.uid}


READ = {"get": Capability.AUDIT_VIEW}
EXPORT = {"post": Capability.AUDIT_VIEW}

ROWS = [
    Row("governance:audit-list", READ),
    Row("governance:audit-detail", READ, an_event),
    Row("governance:audit-export", EXPORT),
    Row("v1:audit-event-list", READ),
    Row("v1:audit-event-detail", READ, an_event),
    Row("v1:audit-export-list", EXPORT),
]
