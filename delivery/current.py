"""What a reader of a route is told: which version to run, how to know it, and until when.

The answer is a plain dictionary whose text is the same as long as nothing changed, so that its
digest is a strong ETag: its times move in steps, not with the clock.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from common.canonical import digest_of
from common.errors import NotFound
from delivery.models import Fallback, Recall, Ring, Rollout, Route
from delivery.ports import Standing, authority
from registry import selectors as registry
from registry.models import Alias, Consumption, ModelVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What a reader is to do with the answer.
USE, USE_FALLBACK, STOP = "use", "use_fallback", "stop"
MIN_STEP_S = 60


@dataclass(frozen=True, slots=True)
class Current:
    """The answer and its ETag, and whether a reader who gets it has taken up the live version."""

    body: dict[str, Any]
    etag: str
    live: ModelVersion
    is_live: bool


def current(
    route: Route, *, ring: str = "", device: str = "", now: datetime | None = None
) -> Current:
    """What the route's readers get at ``now``; a ring or a device may still get the version before.

    Raises: NotFound (nothing is live, or no such ring).
    """
    now = now or datetime.now(UTC)
    live = registry.get_alias(route.model, route.environment.alias)
    rings = list(route.rings.all())
    mine = _ring(rings, route, ring=ring, device=device)
    version, standing = live.version, live
    if mine is not None and route.held_version is not None and mine.position >= route.open_rings:
        version = route.held_version
        standing = _latest_standing(route, version) or live
    approval = approval_of(route, version)
    recalls = open_recalls(route)
    called_back = {recall.version_id for recall in recalls}
    fallback = _fallback(route, called_back)
    is_called_back = version.pk in called_back
    may_use_offline, seconds = _offline(route)
    body = {
        "route": route.name,
        "kind": "read" if route.is_read else "gateway",
        "model": route.model.name,
        "environment": route.environment.name,
        "ring": mine.name if mine is not None else None,
        "instruction": _instruction(is_called_back, fallback),
        "version": version.number,
        "semantic_version": version.semantic_version or None,
        "release_digest": version.release_digest,
        "consumption": version.consumption,
        "since": standing.started_at,
        "reference": standing.reference,
        "approval": _approval(approval, now),
        "valid_until": None if is_called_back else _until(now, lease(route), approval),
        "usable_offline": may_use_offline and not is_called_back,
        "offline_until": (
            _until(now, seconds, approval) if may_use_offline and not is_called_back else None
        ),
        "signature": version.signature,
        "artifacts": version.release.get("artifacts", []),
        "recalled": [
            {
                "version": recall.version.number,
                "release_digest": recall.version.release_digest,
                "since": recall.ordered_at,
                "reason": recall.reason,
            }
            for recall in recalls
        ],
        "fallback": fallback,
        "url": None if route.gateway is None else f"{route.gateway.public_url}/{route.name}",
    }
    for key in ("since", "valid_until", "offline_until"):
        body[key] = _text(body[key])
    for recall in body["recalled"]:
        recall["since"] = _text(recall["since"])
    etag = f'"{digest_of(body).removeprefix("sha256:")[:40]}"'
    return Current(body, etag, live.version, version.pk == live.version.pk)


def lease(route: Route) -> int:
    """For how many seconds, at least, an answer is good without asking again."""
    return route.lease_seconds or settings.ROUTE_LEASE_SECONDS


def ring_of(rings: Sequence[Ring], route: Route, device: str) -> Ring | None:
    """The ring that a device belongs to by the shares: by its name alone, so always the same one.

    Shares fill the fleet from the first ring on; the last one takes who is left.
    """
    if not rings:
        return None
    drawn = hashlib.sha256(f"{route.uid}:{device}".encode()).digest()
    place = int.from_bytes(drawn[:8], "big") % 100
    upto = 0
    for ring in rings[:-1]:
        upto += ring.share
        if place < upto:
            return ring
    return rings[-1]


def open_recalls(route: Route) -> list[Recall]:
    """Versions of the route's model that nobody may run, the newest order first."""
    return list(
        Recall.objects.filter(model=route.model_id, lifted_at=None).select_related("version")
    )


def approval_of(route: Route, version: ModelVersion) -> Standing | None:
    """The approval by which this version came to stand there the last time."""
    row = _latest_standing(
        route, version, Q(reference__startswith="rollout:") | Q(reference__startswith="promotion:")
    )
    if row is None:
        return None
    reference = row.reference
    if reference.startswith("rollout:"):
        reference = _behind(reference.partition(":")[2])
    return authority().standing(reference)


def _behind(rollout: str) -> str:
    """The approval that a rollout carried out; nothing where the text names none."""
    try:
        uid = UUID(rollout)
    except ValueError:
        return ""
    return Rollout.objects.filter(uid=uid).values_list("reference", flat=True).first() or ""


def _latest_standing(route: Route, version: ModelVersion, also: Q | None = None) -> Alias | None:
    rows = Alias.objects.filter(
        also or Q(), model=route.model_id, name=route.environment.alias, version=version
    )
    return rows.order_by("-started_at", "-pk").first()


def _ring(rings: Sequence[Ring], route: Route, *, ring: str, device: str) -> Ring | None:
    if ring:
        for one in rings:
            if one.name == ring:
                return one
        raise NotFound(f"{route.name} has no ring “{ring[:40]}”.", code="ring_not_found")
    if device:
        return ring_of(rings, route, device)
    # Whoever does not say belongs to the many, who are the last to get something new.
    return rings[-1] if rings else None


def _offline(route: Route) -> tuple[bool, int]:
    """Whether a reader may go on when nobody answers, and for how many seconds."""
    if not route.is_read:
        return False, 0  # the gateway itself goes on answering; nobody runs the files
    seconds = route.offline_seconds
    if seconds is None:
        seconds = settings.ROUTE_OFFLINE_SECONDS
    return seconds > 0, seconds


def _until(now: datetime, seconds: int, approval: Standing | None) -> datetime:
    """At least ``seconds`` from now, at most half as much again, in steps that stand still.

    An approval that ends sooner ends it: a reader is to ask in that moment. One that has ended
    does not: it stops the next promotion, not what is live (DESIGN promise 3).
    """
    step = max(MIN_STEP_S, seconds // 2)
    slot = int(now.timestamp()) // step + 1
    until = datetime.fromtimestamp(slot * step + seconds, UTC)
    if approval is not None and now < approval.valid_until < until:
        return approval.valid_until
    return until


def _approval(approval: Standing | None, now: datetime) -> dict[str, Any] | None:
    if approval is None:
        return None
    return {
        "request": approval.label,
        "url": approval.url,
        "valid_until": _text(approval.valid_until),
        "has_ended": approval.valid_until <= now,
    }


def _fallback(route: Route, called_back: set[int]) -> dict[str, Any] | None:
    found = Fallback.objects.filter(model=route.model_id).select_related("version").first()
    if found is None:
        return None
    return {
        "version": found.version.number,
        "release_digest": found.version.release_digest,
        "artifacts": found.version.release.get("artifacts", []),
        "is_recalled": found.version_id in called_back,
    }


def _instruction(is_called_back: bool, fallback: dict[str, Any] | None) -> str:
    if not is_called_back:
        return USE
    return USE_FALLBACK if fallback is not None and not fallback["is_recalled"] else STOP


def _text(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


#: Consumption of which nobody sends requests: its callers ask what is current.
READ_CONSUMPTION = frozenset(set(Consumption.values) - {Consumption.ONLINE})
