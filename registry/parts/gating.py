"""The switch on a model's page: whether its new versions wait for their gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from accounts.roles import Capability

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel


class GatingPart:
    """Says whether the model is gated at registration, and lets it be changed."""

    template = "registry/_gating_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        return {"model": model, "may_edit": caller.may(Capability.MODEL_EDIT)}
