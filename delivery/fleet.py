"""A fleet as a page and the API show it: who runs what, who lags behind, how it spread."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Case, CharField, Count, Max, Q, QuerySet, Sum, Value, When
from django.utils import timezone

from delivery.models import Device, FleetDay, Recall, Ring, Route
from registry import selectors as registry
from registry.models import ModelVersion, RegisteredModel

CURRENT, BEHIND, SILENT, UNKNOWN, RECALLED = "current", "behind", "silent", "unknown", "recalled"
#: Each state in words, the worst first; a device is in the first that fits.
STATES = {
    RECALLED: "On a version that is called back",
    UNKNOWN: "On no release of this model",
    SILENT: "Silent",
    BEHIND: "Not on its current version",
    CURRENT: "Current",
}


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a model's devices are measured by: their route, what they should run, what they must
    not."""

    model: RegisteredModel
    route: Route | None
    rings: list[Ring]
    live: ModelVersion | None
    recalls: list[Recall]
    silent_before: datetime

    @property
    def held(self) -> ModelVersion | None:
        return self.route.held_version if self.route is not None else None

    @property
    def waiting(self) -> list[Ring]:
        """Rings that the live version has not reached."""
        if self.route is None or self.held is None:
            return []
        return [ring for ring in self.rings if ring.position >= self.route.open_rings]

    @property
    def next_ring(self) -> Ring | None:
        return self.waiting[0] if self.waiting else None


@dataclass(slots=True)
class Share:
    """One version's part of the fleet."""

    version: ModelVersion | None
    devices: int
    share: float
    state: str
    rings: dict[str, int] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"version {self.version.number}" if self.version else "no release of this model"


def fleet_of(model: RegisteredModel, *, silent_days: int | None = None) -> Fleet:
    """The model's fleet in its last environment with a route that devices read."""
    route = (
        Route.objects.filter(model=model, gateway=None)
        .select_related("environment", "held_version", "model")
        .order_by("-environment__position")
        .first()
    )
    last = registry.environments(model.workspace).last()
    place = route.environment.name if route is not None else (last.name if last else "")
    days = silent_days or settings.FLEET_SILENT_DAYS
    return Fleet(
        model=model,
        route=route,
        rings=list(route.rings.all()) if route is not None else [],
        live=registry.live_version(model, place) if place else None,
        recalls=list(
            Recall.objects.filter(model=model, lifted_at=None).select_related("version__model")
        ),
        silent_before=timezone.now() - timedelta(days=days),
    )


def devices(fleet: Fleet) -> QuerySet[Any]:
    """The fleet's devices by name, each with its ``state``."""
    wanted = Q(pk__in=[])
    if fleet.live is not None:
        waiting = [ring.name for ring in fleet.waiting]
        # Whoever names no ring, or one that is not there, belongs to the last.
        named = [ring.name for ring in fleet.rings]
        late = Q(ring__in=waiting) | ~Q(ring__in=named) if waiting else Q(pk__in=[])
        wanted = (Q(version=fleet.live) & ~late) | (late & Q(version=fleet.held))
    state = Case(
        When(version__in=[it.version_id for it in fleet.recalls], then=Value(RECALLED)),
        When(version=None, then=Value(UNKNOWN)),
        When(seen_at__lt=fleet.silent_before, then=Value(SILENT)),
        When(wanted, then=Value(CURRENT)),
        default=Value(BEHIND),
        output_field=CharField(),
    )
    return (
        Device.objects.filter(model=fleet.model)
        .select_related("version")
        .annotate(state=state)
        .order_by("device_id")
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """The fleet's figures, from one query over its devices."""

    devices: int
    shares: list[Share]
    states: dict[str, int]
    last_seen: datetime | None

    def share_of(self, state: str) -> float:
        return self.states[state] / self.devices if self.devices else 0.0


def summary(fleet: Fleet) -> Summary:
    """By version, by ring and by state; the versions with most devices first."""
    rows = (
        devices(fleet)
        .order_by()
        .values("version", "ring", "state")
        .annotate(count=Count("pk"), latest=Max("seen_at"))
    )
    states = dict.fromkeys(STATES, 0)
    by_version: dict[int | None, Share] = {}
    total = 0
    versions = ModelVersion.objects.select_related("model").in_bulk(
        {row["version"] for row in rows if row["version"]}
    )
    latest: datetime | None = None
    for row in rows:
        count = row["count"]
        total += count
        states[row["state"]] += count
        latest = row["latest"] if latest is None else max(latest, row["latest"])
        key = row["version"]
        share = by_version.setdefault(key, Share(versions.get(key), 0, 0.0, _standing(fleet, key)))
        share.devices += count
        ring = row["ring"] or "none"
        share.rings[ring] = share.rings.get(ring, 0) + count
    for share in by_version.values():
        share.share = share.devices / total
    shares = sorted(by_version.values(), key=lambda it: (-it.devices, it.label))
    return Summary(total, shares, states, latest)


def _standing(fleet: Fleet, version: int | None) -> str:
    if version is None:
        return UNKNOWN
    if version in {it.version_id for it in fleet.recalls}:
        return RECALLED
    if fleet.live is not None and version == fleet.live.pk:
        return CURRENT
    return "held" if fleet.held is not None and version == fleet.held.pk else BEHIND


def days(model: RegisteredModel, *, since: date) -> dict[date, dict[str, int]]:
    """How many devices spoke on each day, by what they ran: ``version 3`` or a word for others."""
    rows = list(
        FleetDay.objects.filter(model=model, day__gte=since, devices__gt=0)
        .order_by("day")
        .values("day", "digest")
        .annotate(count=Sum("devices"))
    )
    numbers = dict(
        ModelVersion.objects.filter(
            model=model, release_digest__in={row["digest"] for row in rows}
        ).values_list("release_digest", "number")
    )
    found: dict[date, dict[str, int]] = defaultdict(dict)
    for row in rows:
        number = numbers.get(row["digest"])
        label = f"version {number}" if number is not None else "no release of this model"
        found[row["day"]][label] = found[row["day"]].get(label, 0) + row["count"]
    return dict(found)
