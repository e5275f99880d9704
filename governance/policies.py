"""Who may sign what: each function answers with the refusal, or None when there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone

from accounts.roles import Capability
from common.errors import Blocked, Conflict, DomainError, InvalidTransition, NotAllowed
from governance.models import RequestAuthor, Signature
from governance.selectors import Slot, gates_of, slots

if TYPE_CHECKING:
    from accounts.callers import Caller
    from governance.models import GateResult, PromotionRequest


@dataclass(frozen=True, slots=True)
class Choice:
    """One way in which somebody may sign: a role they hold and what that signature may mean."""

    role: str
    label: str
    meanings: tuple[str, ...]


def refuse_machine(caller: Caller) -> NotAllowed | None:
    """Tokens never sign, not even a person's: nobody sat there, read and decided."""
    if caller.is_machine or caller.service_account is not None or caller.user is None:
        return NotAllowed(
            "Only a person in a browser session signs; a token never does.",
            code="machine_cannot_sign",
        )
    return None


def refuse_state(promotion: PromotionRequest) -> DomainError | None:
    """Only an open request inside its validity can be signed."""
    if not promotion.is_open:
        return InvalidTransition(
            f"{promotion} is {promotion.get_status_display().lower()}: it cannot be signed."
        )
    if promotion.is_lapsed(timezone.now()):
        return Conflict(f"{promotion} lapsed: ask again.", code="expired")
    return None


def refuse_person(caller: Caller, promotion: PromotionRequest) -> DomainError | None:
    """Authors do not sign, and nobody signs the same content twice."""
    how = RequestAuthor.objects.filter(promotion=promotion, user=caller.user).first()
    if how is not None:
        return NotAllowed(
            f"You shaped this request ({how.how.replace('_', ' ')}), so someone else must sign it.",
            code="author_cannot_sign",
        )
    if Signature.objects.filter(
        promotion=promotion, round=promotion.round, user=caller.user
    ).exists():
        return Conflict("You have signed this already.", code="already_signed")
    return None


def refuse_gates(gates: list[GateResult]) -> Blocked | None:
    """While a blocking gate does not pass there is no way to approve."""
    blocking = [gate for gate in gates if gate.blocks]
    if not blocking:
        return None
    return Blocked(
        f"{len(blocking)} gate{'s' if len(blocking) > 1 else ''} in the way: "
        + " ".join(gate.explanation for gate in blocking[:5]),
        code="gates_block",
        reasons=[f"{gate.title}: {gate.explanation}" for gate in blocking],
    )


def choices(caller: Caller, promotion: PromotionRequest, found: list[Slot]) -> list[Choice]:
    """The roles of this caller whose signature the policy asks for and nobody has given yet."""
    meanings = promotion.policy_revision.body["meanings"]
    return [
        Choice(slot.role, slot.label, tuple(meanings[slot.role]))
        for slot in found
        if slot.missing and slot.role in caller.roles
    ]


def refuse_role(
    caller: Caller, promotion: PromotionRequest, found: list[Slot]
) -> DomainError | None:
    """The caller must hold a role whose signature is still missing."""
    if choices(caller, promotion, found):
        return None
    held = [slot.label.lower() for slot in found if slot.role in caller.roles]
    if held:
        return Conflict(
            f"The signature as {' and '.join(held)} is there already.", code="role_satisfied"
        )
    wanted = ", ".join(slot.label.lower() for slot in found)
    return NotAllowed(f"This request is signed by: {wanted}.", code="role_missing")


def why_not_approve(
    caller: Caller,
    promotion: PromotionRequest,
    *,
    gates: list[GateResult] | None = None,
    found: list[Slot] | None = None,
) -> DomainError | None:
    """Why this caller cannot approve now, the first reason; None when they can."""
    found = slots([promotion])[promotion.pk] if found is None else found
    return why_not_sign(caller, promotion, found) or refuse_gates(
        gates_of(promotion) if gates is None else gates
    )


def why_not_sign(
    caller: Caller, promotion: PromotionRequest, found: list[Slot]
) -> DomainError | None:
    """Why this caller cannot sign either way: approving has the gates' word besides."""
    refused = refuse_machine(caller) or refuse_state(promotion) or refuse_person(caller, promotion)
    if refused is not None:
        return refused
    if not caller.may(Capability.REQUEST_SIGN):
        return NotAllowed("You hold no role that signs.", code="role_missing")
    return refuse_role(caller, promotion, found)
