"""The files of a version on its page: stored here, or only named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from accounts.roles import Capability
from registry.selectors_artifacts import listed_artifacts

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel


class ArtifactsPart:
    """Says of each listed artifact what is known about its bytes."""

    template = "registry/_artifacts_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        if version is None:
            return None
        listed = listed_artifacts(version)
        if not listed:
            return None
        return {
            "listed": listed,
            "stored": sum(it.artifact is not None for it in listed),
            "executable": sum(
                it.artifact is not None and it.artifact.is_executable for it in listed
            ),
            "disagree": sum(it.size_agrees is False for it in listed),
            "may_upload": caller.may(Capability.MODEL_EDIT),
        }
