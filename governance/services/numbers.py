"""The next number of a workspace's requests and findings, without gaps between commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from governance.models import Counter

if TYPE_CHECKING:
    from accounts.models import Workspace


def lock(workspace: Workspace) -> Counter:
    """The workspace's counters, locked until the transaction ends; whoever counts waits for it."""
    Counter.objects.bulk_create([Counter(workspace=workspace)], ignore_conflicts=True)
    return Counter.objects.select_for_update().get(workspace=workspace)


def take(workspace: Workspace, what: Literal["request", "finding"]) -> int:
    """The next number; taken for good when the transaction commits."""
    counter = lock(workspace)
    field = f"next_{what}"
    number: int = getattr(counter, field)
    setattr(counter, field, number + 1)
    counter.save(update_fields=[field])
    return number
