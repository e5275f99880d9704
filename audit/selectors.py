"""Reading the trail: filtered, page by page, each event as a line that a person can read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from audit.models import Checkpoint, Event, Pending, Pii
from audit.sentences import phrase

if TYPE_CHECKING:
    from uuid import UUID

ERASED = "erased person"


@dataclass(frozen=True)
class HistoryLine:
    """One line of an object's history: when, who (``label``), and what (``text``)."""

    at: datetime
    label: str
    text: str

    @property
    def who(self) -> str:
        """The name that the history component reads."""
        return self.label

    @property
    def what(self) -> str:
        return self.text


@dataclass(frozen=True)
class Line:
    """An event with what stands beside it.

    Attributes:
        personal: names and free texts by field, as far as they were not erased.
        checkpoint_size: of the first signed checkpoint that covers it, or None while it waits.
    """

    event: Event
    personal: dict[str, str]
    checkpoint_size: int | None

    @cached_property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.event.body)
        return found

    @property
    def leaf_index(self) -> int | None:
        index: int | None = getattr(self.event, "leaf_index", None)
        return index

    @property
    def is_sealed(self) -> bool:
        return self.checkpoint_size is not None

    @property
    def who(self) -> str:
        """The actor's name; of an erased person only the pseudonym is left."""
        return self.personal.get("actor_label") or f"{ERASED} {self.event.actor_pid}"

    @property
    def object_name(self) -> str:
        if "object_name" in self.body["pii"]:
            return self.personal.get("object_name") or f"{ERASED} {self.event.object_id}"
        return self.event.object_name

    @property
    def what(self) -> str:
        return phrase(
            self.event.action,
            name=self.object_name or self.event.object_id,
            details=self.body["details"],
        )

    @property
    def title(self) -> str:
        """The action as a heading: "Request: sign refused"."""
        return self.event.action.replace("_", " ").replace(".", ": ", 1).capitalize()

    @property
    def reason(self) -> str:
        """The words that were given, where there are any."""
        return self.personal.get("reason", "") or self.personal.get("comment", "")


def events(
    workspace: Any,
    *,
    object_type: str | None = None,
    object_id: str | None = None,
    action: str | None = None,
    actor_pid: str | None = None,
) -> QuerySet[Event]:
    """Events of a workspace (or of its slug), oldest first."""
    slug = getattr(workspace, "slug", workspace)
    wanted = {
        "object_type": object_type,
        "object_id": object_id,
        "action": action,
        "actor_pid": actor_pid,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    return Event.objects.filter(workspace=slug, **given).order_by("pk")


def search(
    workspace: Any,
    *,
    object_text: str = "",
    object_type: str = "",
    action: str = "",
    actor: str = "",
    since: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[Event]:
    """What a reader looks for.

    Args:
        object_text: part of an object's name, or its whole id.
        action: a whole action, or the family before its first dot ("request").
        actor: part of an actor's name, or their whole pseudonym.
        since, before: the first moment, and the first moment after.
    """
    found = events(workspace)
    if object_text:
        found = found.filter(
            Q(object_name__icontains=object_text)
            | Q(object_id=object_text)
            | _personal("object_name", object_text)
        )
    if object_type:
        found = found.filter(object_type=object_type)
    if action:
        found = found.filter(Q(action=action) | Q(action__startswith=f"{action}."))
    if actor:
        found = found.filter(Q(actor_pid=actor) | _personal("actor_label", actor))
    if since is not None:
        found = found.filter(at__gte=since)
    if before is not None:
        found = found.filter(at__lt=before)
    return found


def with_place(found: QuerySet[Event]) -> QuerySet[Event]:
    """The same events, each with its place in the tree and the first checkpoint over it."""
    covering = Checkpoint.objects.filter(tree_size__gt=OuterRef("leaf__leaf_index"))
    return found.annotate(
        leaf_index=F("leaf__leaf_index"),
        checkpoint_size=Subquery(covering.order_by("tree_size").values("tree_size")[:1]),
    )


def lines(page: Iterable[Event]) -> list[Line]:
    """Events (from ``with_place``) as lines; one query for all names and texts."""
    rows = list(page)
    personal: dict[int, dict[str, str]] = {}
    for item in Pii.objects.filter(event__in=rows):
        personal.setdefault(item.event_id, {})[item.field] = item.value
    return [
        Line(event, personal.get(event.pk, {}), getattr(event, "checkpoint_size", None))
        for event in rows
    ]


def get_line(workspace: Any, uid: UUID) -> Line | None:
    """One event of this workspace."""
    found = lines(with_place(events(workspace).filter(uid=uid)))
    return found[0] if found else None


def history(
    object_type: str, object_id: str, *, workspace: Any = None, limit: int = 50
) -> list[HistoryLine]:
    """What happened to one object, the newest first."""
    found = Event.objects.filter(object_type=object_type, object_id=str(object_id))
    if workspace is not None:
        found = found.filter(workspace=getattr(workspace, "slug", workspace))
    return [
        HistoryLine(at=line.event.at, label=line.who, text=line.what)
        for line in lines(found.order_by("-pk")[:limit])
    ]


@dataclass(frozen=True)
class Sealing:
    """How far the sealer has come, for the whole trail."""

    checkpoint: Checkpoint | None
    pending: int
    oldest_pending: datetime | None


def sealing() -> Sealing:
    """The last checkpoint, and what waits for the next."""
    oldest = Pending.objects.order_by("pk").values_list("event__recorded_at", flat=True).first()
    return Sealing(
        checkpoint=Checkpoint.objects.order_by("-tree_size").first(),
        pending=Pending.objects.count(),
        oldest_pending=oldest,
    )


def _personal(field: str, text: str) -> Exists:
    return Exists(Pii.objects.filter(event=OuterRef("pk"), field=field, value__icontains=text))
