"""The outbox and the allow-list are for administrators."""

from __future__ import annotations

from typing import Any

from accounts.roles import Capability
from tests.factories.outbound import DestinationFactory
from tests.permissions import Row


def an_entry(workspace: Any) -> dict[str, Any]:
    return {"uid": DestinationFactory(workspace=workspace).uid}


ADMIN = Capability.WORKSPACE_ADMIN
ROWS = [
    Row("outbound:message-list", {"get": ADMIN}),
    Row("outbound:destination-allow", {"post": ADMIN}),
    Row("outbound:destination-revoke", {"post": ADMIN}, an_entry),
    Row("v1:destination-list", {"get": ADMIN, "post": ADMIN}),
    Row("v1:destination-revoke", {"post": ADMIN}, an_entry),
    Row("v1:message-list", {"get": ADMIN}),
]
