"""The model card in short, on a version's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from accounts.roles import Capability
from registry import selectors_cards
from registry.markdown import render

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel


class CardPart:
    """Its summary, what it lacks, and the way to the rest."""

    template = "registry/_card_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        if version is None:
            return None
        card = selectors_cards.card_of(version)
        written = card.sections if card is not None else {}
        return {
            "model": model,
            "version": version,
            "card": card,
            "summary": render(written.get("summary", "")),
            "missing": selectors_cards.missing(version, card),
            "may_edit": caller.may(Capability.MODEL_EDIT),
        }
