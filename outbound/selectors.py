"""The outbox and the allow-list as pages, the API and the status page read them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Min, QuerySet
from django.db.models.functions import Now

from outbound.models import Destination, Message

if TYPE_CHECKING:
    from accounts.models import Workspace


def messages_for(workspace: Workspace) -> QuerySet[Message]:
    """Every message of the workspace, the newest first."""
    return Message.objects.filter(workspace=workspace).order_by("-pk")


def destinations_for(workspace: Workspace) -> QuerySet[Destination]:
    """Every entry of the allow-list, revoked ones too, the newest first."""
    return Destination.objects.filter(workspace=workspace).order_by("-pk")


def oldest_undelivered_age() -> timedelta | None:
    """How long the oldest queued message has waited; None when the outbox is empty."""
    row = Message.objects.filter(state=Message.State.QUEUED).aggregate(
        age=Now() - Min("created_at")
    )
    age: timedelta | None = row["age"]
    return age
