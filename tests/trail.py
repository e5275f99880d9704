"""What a test asks of the audit trail."""

from __future__ import annotations

from audit.models import Event


def recorded_actions(workspace: str | None = None) -> list[str]:
    """The actions recorded so far, oldest first; equal to ``Action`` members, which are strings."""
    events = Event.objects.order_by("pk")
    if workspace is not None:
        events = events.filter(workspace=workspace)
    return list(events.values_list("action", flat=True))
