"""What somebody has asked to promote, or has approved, is not deleted under their hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from governance.models import PromotionRequest

if TYPE_CHECKING:
    from registry.models import ModelVersion, RegisteredModel

UNDER_WAY = (PromotionRequest.Status.OPEN, PromotionRequest.Status.APPROVED)


class PromotionUnderWay:
    """The registry's ``DeletionGuard`` for open and approved promotion requests."""

    def why_not_delete(self, *, model: RegisteredModel, version: ModelVersion | None) -> str | None:
        asked = PromotionRequest.objects.filter(model=model, status__in=UNDER_WAY)
        if version is not None:
            asked = asked.filter(version=version)
        first = asked.select_related("version").order_by("pk").first()
        if first is None:
            return None
        state = first.get_status_display().lower()
        return (
            f"{first} asks to promote version {first.version.number} and is {state}: "
            "withdraw it first."
        )
