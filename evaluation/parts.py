"""A card of a version's page: how it compares with what it was derived from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from accounts.roles import Capability
from evaluation.services import derived

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel


class ParentPart:
    """The differential against the parent, which is asked for by itself."""

    template = "evaluation/_parent_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        if version is None or version.derived_from is None:
            return None
        evidence = derived.compared(version)
        return {
            "version": version,
            "parent": version.derived_from,
            "derivation": version.get_derivation_display().lower(),
            "evidence": evidence,
            "sentence": derived.sentence(evidence) if evidence is not None else "",
            "why_not": derived.why_not_compared(version) if evidence is None else "",
            "may_ask": caller.may(Capability.EVIDENCE_RUN),
        }
