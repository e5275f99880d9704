"""Requests about versions with components look again when one of those stands differently."""

from __future__ import annotations

import logging
from typing import Any

from django.dispatch import receiver

from common.errors import DomainError
from governance.models import PromotionRequest
from governance.services import promotions
from governance.signals import promotion_closed
from registry.signals import alias_moved

logger = logging.getLogger(__name__)


@receiver(alias_moved)
def look_again_where_it_is_called(
    sender: Any, *, model: Any, name: str, protected: bool = True, **_: Any
) -> None:
    """Something else of this model is live: whoever calls it may go now, or no longer."""
    if protected:
        _look_again(model=model, environment__alias=name)


@receiver(promotion_closed)
def look_again_at_callers(sender: Any, *, promotion: PromotionRequest, **_: Any) -> None:
    """A component was approved or refused: whoever calls it may go now, or no longer."""
    _look_again(model=promotion.model, environment=promotion.environment_id)


def _look_again(*, model: Any, **place: Any) -> None:
    # Through another component, too: any with components may be concerned, and there are few.
    waiting = (
        PromotionRequest.objects.open()
        .filter(workspace=model.workspace_id, version__component_rows__isnull=False, **place)
        .exclude(model=model)
        .distinct()
    )
    for promotion in waiting.order_by("pk"):
        try:
            promotions.refresh_gates(promotion)
        except DomainError as error:
            logger.warning("%s was not refreshed: %s", promotion, error.message)
