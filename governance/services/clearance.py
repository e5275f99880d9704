"""Clearance: the whole answer that CI reads for one release digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils import timezone

from governance.models import GateResult, PromotionRequest, RequestAuthor
from governance.selectors import gates_of, slots

if TYPE_CHECKING:
    from datetime import datetime

Status = PromotionRequest.Status


class State(StrEnum):
    CLEARED = "cleared"
    WAITING = "waiting"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why it is not cleared: a stable code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Clearance:
    """Whether exactly this release may go there now."""

    state: State
    reasons: tuple[Reason, ...] = field(default=())

    @property
    def is_final(self) -> bool:
        """Whether waiting longer cannot help by itself."""
        return self.state is not State.WAITING


def clearance(
    promotion: PromotionRequest, release_digest: str, *, now: datetime | None = None
) -> Clearance:
    """Cleared only for an approved, unexpired request and exactly its release digest.

    *Waiting* is what time, evidence on its way or a signature will settle; *blocked* needs
    somebody to change something.
    """
    now = now or timezone.now()
    if release_digest != promotion.release_digest:
        return _blocked(
            "digest_mismatch",
            f"{promotion} is about the release {promotion.release_digest}, not "
            f"{release_digest[:80] or 'an empty digest'}.",
        )
    if promotion.status in {Status.APPROVED, Status.CARRIED_OUT}:
        if promotion.is_lapsed(now):
            return _blocked(
                "expired", f"The approval ended at {promotion.valid_until:%d %b %Y %H:%M} UTC."
            )
        return Clearance(State.CLEARED)
    if promotion.status != Status.OPEN:
        words = promotion.get_status_display().lower()
        reason = f": {promotion.closed_reason}" if promotion.closed_reason else "."
        return _blocked(promotion.status, f"{promotion} is {words}{reason}")
    if promotion.is_lapsed(now):
        return _blocked("expired", f"{promotion} lapsed before it was decided.")
    return _open(promotion)


def _open(promotion: PromotionRequest) -> Clearance:
    gates = [gate for gate in gates_of(promotion) if gate.blocks]
    stuck = [gate for gate in gates if gate.state != GateResult.State.WAITING]
    if stuck:
        return Clearance(
            State.BLOCKED,
            tuple(Reason(f"gate_{gate.state}", _said(gate)) for gate in stuck),
        )
    if RequestAuthor.objects.filter(promotion=promotion, user__isnull=True).exists():
        return _blocked("author_unmapped", "An author maps to no person.")
    reasons = [Reason("gate_waiting", _said(gate)) for gate in gates]
    for slot in slots([promotion])[promotion.pk]:
        if slot.missing:
            people = ", ".join(str(user) for user in slot.candidates) or "nobody who may"
            reasons.append(
                Reason("signature_missing", f"{slot.label}: {slot.missing} missing ({people}).")
            )
    return Clearance(State.WAITING, tuple(reasons))


def _said(gate: GateResult) -> str:
    return f"{gate.name}: {gate.explanation}"


def _blocked(code: str, message: str) -> Clearance:
    return Clearance(State.BLOCKED, (Reason(code, message),))
