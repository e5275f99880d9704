"""Serving's card on a model's page: where new versions get their endpoint from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.roles import Capability
from serving import selectors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel

SHOWN = 5


class EndpointSourcePart:
    """Says how a version without an endpoint gets one, and what came of it lately."""

    template = "serving/_endpoint_source.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        source = selectors.source_of(model)
        may_edit = caller.may(Capability.ENDPOINT_EDIT)
        if source is None and not may_edit:
            return None
        return {
            "model": model,
            "source": source,
            "provisions": list(selectors.provisions_of_model(model)[:SHOWN]) if source else [],
            "may_edit": may_edit,
        }
