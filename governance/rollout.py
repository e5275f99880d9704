"""The one place where governance asks delivery to carry an approval out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from accounts.roles import Capability
from common.errors import DomainError, InvalidTransition
from delivery.current import READ_CONSUMPTION
from delivery.models import Rollout
from delivery.plan import parse
from delivery.services import rollouts
from delivery.services.routes import ensure, route_for
from governance import components
from governance.services.promotions import lock

if TYPE_CHECKING:
    from accounts.callers import Caller
    from governance.models import PromotionRequest

#: Where no traffic is shared out, a plan has nothing to say.
AT_ONCE = {"steps": [100]}


def start(promotion: PromotionRequest, *, caller: Caller) -> Rollout:
    """Start the approved request's rollout, in the caller's transaction.

    A version that reaches nobody by traffic is handed over: the route that its readers ask is
    made where there is none, and no plan is needed.

    Raises: NotFound (no route), AlreadyExists (the route is busy), Conflict, Invalid.
    """
    if _is_read(promotion):
        ensure(model=promotion.model, environment=promotion.environment)
    rollout = rollouts.start(
        caller=caller,
        reference=promotion.reference,
        model=promotion.model,
        environment=promotion.environment,
        to_version=promotion.version,
        plan=parse(promotion.plan or AT_ONCE),
    )
    promotion.rollout_uid = rollout.uid
    promotion.save(update_fields=["rollout_uid"])
    return rollout


def start_if_routed(promotion: PromotionRequest, *, caller: Caller) -> str:
    """Start it where there is a plan and a route; otherwise a sentence that says why not.

    A route that is busy does not take back what people signed: the approval stands, and the
    rollout is started later.
    """
    if missing := why_not_started(promotion):
        return missing
    try:
        with transaction.atomic():
            start(promotion, caller=caller)
    except DomainError as error:
        promotion.rollout_uid = None
        return f"The rollout did not start: {error.message}"
    return ""


def why_not_started(promotion: PromotionRequest) -> str:
    """What is missing for a rollout to start by itself, as a sentence; empty when nothing is."""
    if waits := components.why_not_alone(promotion.version, promotion.environment):
        return waits
    if _is_read(promotion):
        return ""
    if not promotion.plan:
        return "The policy has no rollout plan, so nothing starts by itself."
    if route_for(model=promotion.model, environment=promotion.environment) is None:
        return (
            f"{promotion.model.name} has no route in {promotion.environment.name}, so nothing "
            "starts by itself."
        )
    return ""


def _is_read(promotion: PromotionRequest) -> bool:
    """Whether its consumers ask what is current, and no gateway stands in between."""
    present = route_for(model=promotion.model, environment=promotion.environment)
    if present is not None:
        return present.is_read
    return promotion.version.consumption in READ_CONSUMPTION


def find(promotion: PromotionRequest) -> Rollout | None:
    """The newest rollout of this approval, if there was one."""
    return (
        Rollout.objects.filter(reference=promotion.reference)
        .select_related("route", "to_version")
        .order_by("-pk")
        .first()
    )


@transaction.atomic
def start_later(promotion: PromotionRequest, *, caller: Caller) -> Rollout:
    """Start the rollout of a standing approval that did not start by itself.

    Raises: NotAllowed, InvalidTransition (not approved, or lapsed), and what ``start`` raises.
    """
    caller.insist(Capability.ROLLOUT_OPERATE)
    promotion = lock(promotion)
    if promotion.status != promotion.Status.APPROVED or promotion.is_lapsed(timezone.now()):
        raise InvalidTransition(f"{promotion} has no standing approval.")
    if not promotion.plan and not _is_read(promotion):
        raise InvalidTransition("The policy has no rollout plan.")
    return start(promotion, caller=caller)
