"""Signing: a person, re-authenticated, with a meaning, over exactly what was shown."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.roles import Capability
from accounts.services.reauthenticate import insist_password
from audit.actions import Action
from audit.services import record as audit
from common.errors import Conflict, DomainError, Invalid, NotAllowed
from common.ids import uuid7
from governance import content as contents
from governance import policies, rollout
from governance.models import PromotionRequest, Signature
from governance.selectors import Slot, gates_of, slots
from governance.services import notices
from governance.services.promotions import (
    MAX_COMMENT,
    close,
    lock,
    present_content,
    refresh_gates,
)

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import User

Verdict = Signature.Verdict
Status = PromotionRequest.Status


class DigestChanged(Conflict):
    """What was seen is not what stands there now."""

    code = "digest_changed"
    title = "The request changed"


def approve(
    *,
    caller: Caller,
    promotion: PromotionRequest,
    digest: str,
    meaning: str,
    password: str,
    reason: str = "",
    role: str = "",
    session_key: str = "",
) -> PromotionRequest:
    """Sign for it. The last signature that the policy asks for approves the request, and the
    rollout of its plan starts in the same transaction.

    Args:
        digest: what the signer saw; another one now is refused.
        meaning: one of the policy's meanings for the role, word for word.
        password: theirs, again.
        role: which of their roles they sign in; found from the meaning when empty.
        session_key: of the session they sign in; only its hash is kept.

    Raises: NotAllowed (``machine_cannot_sign``, ``wrong_password``, ``author_cannot_sign``,
        ``role_missing``), DigestChanged, Blocked (``gates_block``), Conflict, Invalid.
    """
    _prepare(caller, promotion, password)
    with transaction.atomic():
        promotion = _sign(
            caller,
            promotion,
            Verdict.APPROVE,
            digest=digest,
            meaning=meaning,
            reason=reason,
            role=role,
            session_key=session_key,
        )
        if not any(slot.missing for slot in slots([promotion])[promotion.pk]):
            _approve(promotion, caller)
    return promotion


def reject(
    *,
    caller: Caller,
    promotion: PromotionRequest,
    digest: str,
    meaning: str,
    password: str,
    reason: str,
    role: str = "",
    session_key: str = "",
) -> PromotionRequest:
    """Sign against it, with a reason; one rejection ends the request.

    ``meaning`` may be empty: then the signature means what its verdict says.

    Raises: as ``approve``, but gates do not stand in the way of a rejection.
    """
    if not reason.strip():
        text = "Say why you reject it."
        raise Invalid(text, fields={"reason": [text]})
    _prepare(caller, promotion, password)
    with transaction.atomic():
        promotion = _sign(
            caller,
            promotion,
            Verdict.REJECT,
            digest=digest,
            meaning=meaning,
            reason=reason,
            role=role,
            session_key=session_key,
        )
        close(promotion, Status.REJECTED, reason)
        audit.record(
            Action.REQUEST_REJECTED,
            actor=caller.actor,
            workspace=promotion.workspace.slug,
            object_type="promotion_request",
            object_id=str(promotion.uid),
            object_name=f"{promotion} {promotion.title}",
            object_digest=promotion.digest,
            after={"status": promotion.status},
            pii={"reason": reason.strip()},
        )
        notices.tell_outcome(promotion)
    return promotion


def _prepare(caller: Caller, promotion: PromotionRequest, password: str) -> None:
    """What must not happen inside the signing transaction: the slow hash, and a refresh that
    stays even when the signature is refused because of it."""
    if refused := policies.refuse_machine(caller):
        raise refused
    caller.insist(Capability.REQUEST_SIGN)
    if promotion.workspace_id != caller.workspace.pk:
        raise NotAllowed("This request belongs to another workspace.")
    insist_password(_person(caller), password)
    refresh_gates(promotion)


def _person(caller: Caller) -> User:
    if caller.user is None:
        raise NotAllowed("Only a person signs.", code="machine_cannot_sign")
    return caller.user


def _sign(
    caller: Caller,
    promotion: PromotionRequest,
    verdict: Signature.Verdict,
    *,
    digest: str,
    meaning: str,
    reason: str,
    role: str,
    session_key: str,
) -> PromotionRequest:
    promotion = lock(promotion)
    if refused := policies.refuse_state(promotion) or policies.refuse_person(caller, promotion):
        raise refused
    text, _ = present_content(promotion)
    if digest != promotion.digest or contents.digest(text) != digest:
        raise DigestChanged(
            "Something you would sign changed since this page was loaded. Read it again.",
            current=promotion.digest,
        )
    found = slots([promotion])[promotion.pk]
    if refused := policies.refuse_role(caller, promotion, found):
        raise refused
    role, meaning = _chosen(caller, promotion, found, role, meaning, verdict)
    if verdict is Verdict.APPROVE and (blocked := policies.refuse_gates(gates_of(promotion))):
        raise blocked
    uid = uuid7()
    event = audit.record(
        Action.REQUEST_SIGNED,
        actor=caller.actor,
        workspace=promotion.workspace.slug,
        object_type="promotion_request",
        object_id=str(promotion.uid),
        object_name=f"{promotion} {promotion.title}",
        object_digest=promotion.digest,
        details={
            "signature": str(uid),
            "role": role,
            "verdict": verdict.value,
            "meaning": meaning,
            "round": promotion.round,
            "release_digest": promotion.release_digest,
        },
        pii={"reason": reason.strip()[:MAX_COMMENT]},
    )
    try:
        with transaction.atomic():
            Signature.objects.create(
                uid=uid,
                promotion=promotion,
                round=promotion.round,
                user=_person(caller),
                role=role,
                verdict=verdict,
                meaning=meaning,
                digest=digest,
                event_id=event.pk,
                session_sha256=(
                    hashlib.sha256(session_key.encode()).hexdigest() if session_key else ""
                ),
            )
    except IntegrityError as error:
        raise _explained(error) from None
    return promotion


def _chosen(
    caller: Caller,
    promotion: PromotionRequest,
    found: list[Slot],
    role: str,
    meaning: str,
    verdict: Signature.Verdict,
) -> tuple[str, str]:
    """The role that is signed in and what it means, both from what the policy offers."""
    offered = policies.choices(caller, promotion, found)
    fitting = [choice for choice in offered if not role or choice.role == role]
    if not fitting:
        text = "You do not sign this request in that role."
        raise Invalid(text, fields={"role": [text]})
    if verdict is Verdict.REJECT and not meaning:
        return fitting[0].role, "I reject this version"
    for choice in fitting:
        if meaning in choice.meanings:
            return choice.role, meaning
    text = "Choose what your signature means."
    raise Invalid(
        text,
        fields={"meaning": [text]},
        offered={choice.role: list(choice.meanings) for choice in fitting},
    )


def _approve(promotion: PromotionRequest, caller: Caller) -> None:
    validity = timedelta(seconds=promotion.policy_revision.body["valid_for_s"])
    promotion.valid_until = timezone.now() + validity
    close(promotion, Status.APPROVED)
    not_started = rollout.start_if_routed(promotion, caller=caller)
    audit.record(
        Action.REQUEST_APPROVED,
        actor=caller.actor,
        workspace=promotion.workspace.slug,
        object_type="promotion_request",
        object_id=str(promotion.uid),
        object_name=f"{promotion} {promotion.title}",
        object_digest=promotion.digest,
        after={
            "status": promotion.status,
            "valid_until": promotion.valid_until,
            "release_digest": promotion.release_digest,
            "rollout_waits": not_started,
            "rollout": str(promotion.rollout_uid) if promotion.rollout_uid else None,
        },
        details={"content": promotion.content},
    )
    notices.tell_outcome(promotion)


#: What the database says when code was gone round, or two people were at it at once.
_REFUSALS: tuple[tuple[str, type[DomainError], str, str], ...] = (
    ("signature_once_per_person", Conflict, "already_signed", "You have signed this already."),
    ("signature_not_by_author", NotAllowed, "author_cannot_sign", "Authors do not sign."),
    ("signature_over_present_content", DigestChanged, "digest_changed", "The request changed."),
    ("signature_while_open", Conflict, "invalid_transition", "The request is decided."),
    ("signature_by_role", NotAllowed, "role_missing", "You do not hold that role."),
)


def _explained(error: IntegrityError) -> DomainError:
    for name, kind, code, message in _REFUSALS:
        if name in str(error):
            return kind(message, code=code)
    raise error
