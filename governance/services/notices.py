"""Mails about requests: each fact is told once, and only to whom it concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from governance.selectors import slots
from outbound.services import send

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accounts.models import User
    from governance.models import PromotionRequest, Signature


def url_of(promotion: PromotionRequest) -> str:
    """The request's page, with its workspace, for people who read mail elsewhere."""
    return f"{settings.BASE_URL}/w/{promotion.workspace.slug}/requests/{promotion.number}/"


def ask_for_signatures(promotion: PromotionRequest) -> None:
    """Tell everybody whose signature is still missing that the request can be signed."""
    for slot in slots([promotion])[promotion.pk]:
        if not slot.missing:
            continue
        for user in slot.candidates:
            _mail(
                promotion,
                user,
                "signable",
                subject=f"{promotion} waits for your signature: {promotion.title}",
                context={"role": slot.label.lower()},
                key=f"signable:{promotion.uid}:{promotion.round}:{user.pid}",
            )


def tell_void(promotion: PromotionRequest, signatures: Iterable[Signature]) -> None:
    """Tell who signed an earlier content that it changed, so that their signature is void."""
    for signature in signatures:
        _mail(
            promotion,
            signature.user,
            "signature_void",
            subject=f"{promotion} changed after you signed: {promotion.title}",
            context={"signature": signature},
            key=f"void:{signature.uid}",
        )


def tell_outcome(promotion: PromotionRequest) -> None:
    """Tell who asked what became of it."""
    _mail(
        promotion,
        promotion.requested_by,
        "outcome",
        subject=f"{promotion} is {promotion.get_status_display().lower()}: {promotion.title}",
        context={},
        key=f"outcome:{promotion.uid}:{promotion.status}",
    )


def _mail(
    promotion: PromotionRequest,
    user: User,
    name: str,
    *,
    subject: str,
    context: dict[str, Any],
    key: str,
) -> None:
    if not user.is_active:
        return
    send.mail(
        workspace=promotion.workspace,
        to=[user.email],
        subject=subject,
        template=f"governance/mail/{name}.txt",
        context={
            "promotion": promotion,
            "person": user,
            "url": url_of(promotion),
            **context,
        },
        dedupe_key=key,
        purpose=f"request.{name}",
    )
