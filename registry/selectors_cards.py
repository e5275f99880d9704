"""Reads of model cards: the newest revision is the card, the older ones are its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.errors import NotFound
from registry import cards
from registry.models import CardRevision

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from registry.models import ModelVersion


def revisions(version: ModelVersion) -> QuerySet[CardRevision]:
    """Every revision of the version's card, the newest first, with who wrote it."""
    return (
        CardRevision.objects.filter(version=version).select_related("edited_by").order_by("-number")
    )


def card_of(version: ModelVersion) -> CardRevision | None:
    """The card as it is now, or None while nobody has written one."""
    return revisions(version).first()


def get_revision(version: ModelVersion, number: int) -> CardRevision:
    """Revision ``number``. Raises: NotFound."""
    found = revisions(version).filter(number=number).first() if number < 2**31 else None
    if found is None:
        raise NotFound(f"The card of {version} has no revision {str(number)[:20]}.")
    return found


def previous_card(version: ModelVersion) -> CardRevision | None:
    """The card of the last earlier version that has one: what a new card may start from."""
    return (
        CardRevision.objects.filter(
            version__model=version.model_id,
            version__number__lt=version.number,
            version__deleted_at=None,
        )
        .select_related("version__model", "edited_by")
        .order_by("-version__number", "-number")
        .first()
    )


def missing(version: ModelVersion, card: CardRevision | None) -> list[str]:
    """What the card lacks for the model's tier and kind, in words."""
    model = version.model
    return cards.missing(
        card.sections if card is not None else {},
        tier=model.tier,
        kind=model.kind,
        fallbacks=cards.Fallbacks(
            model_description=model.description,
            version_description=version.description,
            purpose=model.purpose,
            owner=str(model.owner_id),
        ),
    )
