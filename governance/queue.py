"""The approver's queue: what waits for whom, since when; what waits for me first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Count, IntegerField, Q, Value, When
from django.utils.html import escape, format_html

from governance.models import GateResult, PromotionRequest
from governance.selectors import Slot, promotions, slots

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.utils.safestring import SafeString

    from accounts.callers import Caller

Status = PromotionRequest.Status


@dataclass(frozen=True, slots=True)
class Row:
    """A request with what it waits for and since when."""

    promotion: PromotionRequest
    waits_for: str
    is_mine: bool
    since: datetime
    signed: int
    needed: int


def waiting_for(caller: Caller) -> list[int]:
    """Pks of the open requests that this person could sign now; five queries at most."""
    if caller.user is None:
        return []
    signable = list(
        PromotionRequest.objects.open()
        .filter(workspace=caller.workspace, signable_since__isnull=False)
        .select_related("policy_revision")
    )
    found = slots(signable)
    return [row.pk for row in signable if _is_mine(found[row.pk], caller)]


def rows_for(caller: Caller, chosen: Mapping[str, Any]) -> tuple[QuerySet[PromotionRequest], int]:
    """The rows of the queue in their order, and how many wait for the caller."""
    mine = waiting_for(caller)
    rows = promotions(caller.workspace)
    show = chosen.get("show") or "open"
    if show == "open":
        rows = rows.filter(status=Status.OPEN)
    elif show == "mine":
        rows = rows.filter(pk__in=mine)
    elif show == "asked":
        rows = rows.filter(requested_by=caller.user)
    elif show == "approved":
        rows = rows.filter(status=Status.APPROVED)
    elif show == "decided":
        rows = rows.exclude(status=Status.OPEN)
    if chosen.get("model"):
        rows = rows.filter(model__name__icontains=chosen["model"])
    if chosen.get("environment"):
        rows = rows.filter(environment__name=chosen["environment"])
    ranked = rows.annotate(
        rank=Case(
            When(pk__in=mine, then=Value(0)),
            When(status=Status.OPEN, then=Value(1)),
            default=Value(2),
            output_field=IntegerField(),
        )
    )
    # The one that has waited longest comes first among the open ones, the newest among the decided.
    is_open = show in {"open", "mine"}
    return ranked.order_by("rank", "pk" if is_open else "-pk"), len(mine)


def filled(caller: Caller, rows: Iterable[PromotionRequest]) -> list[Row]:
    """What each row waits for; a constant number of queries for any number of rows."""
    found = list(rows)
    approvals = slots(found)
    gates = _gates(found)
    return [_row(caller, row, approvals[row.pk], gates.get(row.pk, {})) for row in found]


def fact(caller: Caller) -> SafeString:
    """The queue in one sentence."""
    counts = PromotionRequest.objects.filter(workspace=caller.workspace).aggregate(
        open=Count("pk", filter=Q(status=Status.OPEN)),
        signable=Count("pk", filter=Q(status=Status.OPEN, signable_since__isnull=False)),
        approved=Count("pk", filter=Q(status=Status.APPROVED)),
    )
    mine = len(waiting_for(caller))
    if not counts["open"]:
        return escape("Nothing waits: no request is open.")
    return format_html(
        "<strong>{}</strong> {} your signature. {} open, {} of them can be signed now; "
        "{} approved and not carried out yet.",
        mine or "None",
        "waits for" if mine <= 1 else "wait for",
        counts["open"],
        counts["signable"],
        counts["approved"],
    )


def _gates(rows: list[PromotionRequest]) -> dict[int, Any]:
    passing = [GateResult.State.PASSES, GateResult.State.NOT_APPLICABLE]
    counted = (
        GateResult.objects.filter(
            promotion__in=[row.pk for row in rows], severity=GateResult.Severity.BLOCK
        )
        .exclude(state__in=passing)
        .values("promotion")
        .annotate(waiting=Count("pk", filter=Q(state=GateResult.State.WAITING)), all=Count("pk"))
        .order_by()
    )
    return {item["promotion"]: item for item in counted}


def _is_mine(found: list[Slot], caller: Caller) -> bool:
    me = caller.user.pk if caller.user is not None else None
    return any(slot.missing and any(u.pk == me for u in slot.candidates) for slot in found)


def _row(caller: Caller, row: PromotionRequest, found: list[Slot], gates: Mapping[str, int]) -> Row:
    is_mine = row.signable_since is not None and row.is_open and _is_mine(found, caller)
    return Row(
        promotion=row,
        waits_for=_waits_for(caller, row, found, gates, is_mine),
        is_mine=is_mine,
        since=row.closed_at or row.signable_since or row.opened_at,
        signed=sum(min(len(slot.signed), slot.needed) for slot in found),
        needed=sum(slot.needed for slot in found),
    )


def _waits_for(
    caller: Caller,
    row: PromotionRequest,
    found: list[Slot],
    gates: Mapping[str, int],
    is_mine: bool,
) -> str:
    if not row.is_open:
        return row.closed_reason[:120] or "–"
    stuck = gates.get("all", 0) - gates.get("waiting", 0)
    if stuck:
        return f"{stuck} blocking gate{'s' if stuck > 1 else ''}"
    if gates.get("waiting"):
        return "evidence under way"
    names = [] if not is_mine else ["you"]
    for slot in found:
        if slot.missing:
            others = [str(u) for u in slot.candidates if caller.user is None or u != caller.user]
            names += others[:2] or ([] if is_mine else [f"a {slot.label.lower()}, but nobody may"])
    return ", ".join(dict.fromkeys(names)) or "–"
