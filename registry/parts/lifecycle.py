"""On a model's and a version's page: its tags, its stage, its name and its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from accounts.roles import Capability
from registry.forms_lifecycle import StageForm, TagForm

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel


class LifecyclePart:
    """What whoever may edit can change here; nobody else sees it."""

    template = "registry/_lifecycle_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        if not caller.may(Capability.MODEL_EDIT):
            return None
        tagged = model if version is None else version
        return {
            "model": model,
            "version": version,
            "tags": sorted(tagged.tags.items()),
            "tag_form": TagForm(auto_id="tag_%s"),
            "stage_form": (
                StageForm(initial={"stage": version.stage}, auto_id="stage_%s")
                if version is not None
                else None
            ),
        }
