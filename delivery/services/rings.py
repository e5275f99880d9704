"""Rings: in which order a fleet gets a new version, and how far it has come."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services.record import record
from common.errors import Conflict, Invalid, InvalidTransition, NotFound
from delivery.models import Ring, Route
from delivery.models.fleet import RING_NAME
from delivery.services import recalls
from registry import selectors as registry

if TYPE_CHECKING:
    from accounts.callers import Caller

MAX_RINGS = 10


@transaction.atomic
def set_rings(*, caller: Caller, route: Route, rings: Sequence[Mapping[str, Any]]) -> list[Ring]:
    """The route's rings in order, the first to get something new first; shares make up 100.

    No rings means that everybody gets a new version at once.

    Raises: Invalid, Conflict (a version is on its way through them), NotAllowed.
    """
    caller.insist(Capability.ROLLOUT_OPERATE)
    route = _lock(caller, route)
    if not route.is_read:
        raise Conflict("This route has a gateway: its rollouts go by shares of the traffic.")
    if route.held_version_id is not None:
        raise Conflict(
            "A version is on its way through the rings: open them all first.", code="rings_closed"
        )
    wanted = [(str(it["name"]), int(it["share"])) for it in rings]
    _insist_sane(wanted)
    before = _shown(route)
    route.rings.all().delete()
    made = Ring.objects.bulk_create(
        Ring(route=route, name=name, position=place, share=share)
        for place, (name, share) in enumerate(wanted)
    )
    route.open_rings = len(made)
    route.save(update_fields=["open_rings"])
    _record(caller, route, before=before)
    return made


@transaction.atomic
def open_next(*, caller: Caller, route: Route, ring: str) -> Route:
    """Let ``ring`` have the live version too: the first one that still waits, and no other.

    Raises: NotFound, InvalidTransition (nothing waits, or not its turn), Conflict (called back).
    """
    caller.insist(Capability.ROLLOUT_OPERATE)
    route = _lock(caller, route)
    rings = list(route.rings.all())
    named = next((one for one in rings if one.name == ring), None)
    if named is None:
        raise NotFound(f"{route.name} has no ring “{ring[:40]}”.", code="ring_not_found")
    if route.held_version_id is None or named.position < route.open_rings:
        raise InvalidTransition(f"The ring {named.name} gets the live version already.")
    if named.position > route.open_rings:
        earlier = rings[route.open_rings]
        raise InvalidTransition(f"The ring {earlier.name} comes before {named.name}.")
    live = registry.live_version(route.model, route.environment.name)
    if live is not None and (refusal := recalls.why_not(live)):
        raise Conflict(refusal, code="recalled")
    before = _shown(route)
    route.open_rings = named.position + 1
    if route.open_rings == len(rings):
        route.held_version = None
    route.save(update_fields=["open_rings", "held_version"])
    _record(caller, route, before=before)
    return route


def _lock(caller: Caller, route: Route) -> Route:
    found = (
        Route.objects.select_for_update(of=("self",))
        .select_related("model__workspace", "environment", "held_version")
        .filter(pk=route.pk, workspace=caller.workspace)
        .first()
    )
    if found is None:
        raise NotFound("There is no such route.", code="route_not_found")
    return found


def _insist_sane(rings: Sequence[tuple[str, int]]) -> None:
    names = [name for name, _ in rings]
    if len(rings) > MAX_RINGS or len(set(names)) != len(names):
        text = f"At most {MAX_RINGS} rings, each with a name of its own."
    elif not all(re.match(RING_NAME, name) for name in names):
        text = "A ring's name has small letters, digits, “_” and “-”, at most 32."
    elif rings and (sum(share for _, share in rings) != 100 or min(s for _, s in rings) < 1):
        text = "Shares are whole percentages above nothing, and make up 100."
    else:
        return
    raise Invalid(text, fields={"rings": [text]})


def _shown(route: Route) -> dict[str, Any]:
    return {
        "rings": [f"{ring.name}: {ring.share} %" for ring in route.rings.all()],
        "open": route.open_rings,
        "held": route.held_version.number if route.held_version is not None else None,
    }


def _record(caller: Caller, route: Route, *, before: dict[str, Any]) -> None:
    record(
        Action.DEVICE_RING_CHANGED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="route",
        object_id=str(route.uid),
        object_name=route.name,
        before=before,
        after=_shown(route),
    )
