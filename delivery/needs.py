"""How far a version is with everything that its kind and its consumption ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Q
from django.urls import reverse

from delivery.models import BatchReceipt, Device, Fallback, Route
from evaluation.models import Evidence
from monitoring.models import Monitor
from registry import kinds, prompts
from registry import selectors as registry
from registry import selectors_cards as cards
from registry.kinds import Item, Support, Want
from serving import selectors as serving

if TYPE_CHECKING:
    from registry.models import ModelVersion

DONE, MISSING, WAITING, ABSENT, NONE = "done", "missing", "waiting", "absent", "not_applicable"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing, how far it is, and where to do something about it.

    ``state``: done, waiting (on its way), missing (needed and not there), absent (optional and not
    there), not_applicable.
    """

    item: Item
    state: str
    words: str
    url: str = ""


def needs_of(version: ModelVersion) -> list[Need]:
    """Everything in order; a dozen queries, however much there is."""
    model = version.model
    looked = {
        **_evidence(version),
        **_documents(version),
        **_use(version),
    }
    found = []
    for item in kinds.items(model.kind, version.consumption):
        if item.want is Want.NONE:
            found.append(Need(item, NONE, item.reason))
            continue
        state, words, url = looked[item.key]
        if state == MISSING and (item.want is Want.OPTIONAL or item.support is Support.OUTSIDE):
            state = ABSENT
        found.append(Need(item, state, words or item.reason, url))
    return found


_Look = tuple[str, str, str]


def _evidence(version: ModelVersion) -> dict[str, _Look]:
    states = Evidence.State
    rows = {
        row["kind"]: row
        for row in Evidence.objects.filter(version=version)
        .values("kind")
        .annotate(
            done=Count("pk", filter=Q(state=states.COMPLETE)),
            waits=Count("pk", filter=Q(state__in=[states.WAITING, states.RUNNING])),
            failed=Count("pk", filter=Q(state=states.FAILED)),
        )
        .order_by()
    }
    url = reverse("evaluation:version-evidence", args=[version.uid])
    found: dict[str, _Look] = {}
    for kind in kinds.EVIDENCE:
        row = rows.get(kind, {"done": 0, "waits": 0, "failed": 0})
        if row["done"]:
            found[kind] = (DONE, _count(row["done"], "piece"), url)
        elif row["waits"]:
            found[kind] = (WAITING, "It is being computed.", url)
        elif row["failed"]:
            found[kind] = (MISSING, "It was tried and could not be computed.", url)
        else:
            found[kind] = (MISSING, "", url)
    return found


def _documents(version: ModelVersion) -> dict[str, _Look]:
    lacks = cards.missing(version, cards.card_of(version))
    page = reverse("registry:version-detail", args=[version.model.name, version.number])
    columns = len(version.signature.get("inputs", [])) + len(version.signature.get("outputs", []))
    files = len(version.release.get("artifacts", []))
    prompt = prompts.parse(version.tags)
    return {
        "card": (MISSING, f"It lacks {_and(lacks)}.", _card_url(version))
        if lacks
        else (DONE, "Every section that its tier asks for is there.", _card_url(version)),
        "signature": (DONE, _count(columns, "column"), f"{page}#signature")
        if columns
        else (MISSING, "", page),
        "artifacts": (DONE, _count(files, "file"), f"{page}#artifacts")
        if files
        else (MISSING, "", page),
        "prompt": (DONE, _count(len(prompt.variables), "variable"), f"{page}#prompt")
        if prompt is not None
        else (MISSING, "Its tags hold no template.", page),
    }


def _use(version: ModelVersion) -> dict[str, _Look]:
    model = version.model
    endpoint = serving.endpoint_for(version)
    route = Route.objects.filter(model=model).order_by("-environment__position").first()
    monitor = Monitor.objects.filter(model=model).order_by("pk").first()
    page = reverse("registry:version-detail", args=[model.name, version.number])
    receipts = BatchReceipt.objects.filter(model=model, version=version).aggregate(
        all=Count("pk"), wrong=Count("pk", filter=Q(state=BatchReceipt.State.MISMATCH))
    )
    devices = Device.objects.filter(model=model, version=version).count()
    fallback = Fallback.objects.select_related("version").filter(model=model).first()
    receipts_url = reverse("delivery:receipt-list", args=[model.name])
    fleet_url = reverse("delivery:fleet-detail", args=[model.name])
    learning_url = reverse("delivery:learning-detail", args=[model.name])
    is_live = bool(
        [
            it
            for it in registry.live_versions(model.workspace, models=[model])
            if it.version.pk == version.pk
        ]
    )
    return {
        "endpoint": (
            DONE,
            endpoint.name,
            reverse("serving:endpoint-detail", args=[endpoint.uid]),
        )
        if endpoint is not None
        else (MISSING, "", f"{page}#endpoints"),
        "route": _route(version, route),
        "monitor": (
            DONE,
            monitor.name,
            reverse("monitoring:monitor-detail", args=[monitor.uid]),
        )
        if monitor is not None
        else (MISSING, "", reverse("monitoring:monitor-list")),
        "receipts": _counted(
            receipts["all"],
            f"{_count(receipts['all'], 'run')}, {receipts['wrong']} did not agree",
            receipts_url,
            is_live=is_live,
        ),
        "devices": _counted(
            devices, f"{_count(devices, 'device')} on this version", fleet_url, is_live=is_live
        ),
        "fallback": (DONE, f"Version {fallback.version.number}", learning_url)
        if fallback is not None
        else (MISSING, "", learning_url),
    }


def _route(version: ModelVersion, route: Route | None) -> _Look:
    url = reverse("delivery:route-list")
    if route is not None:
        return DONE, route.name, url
    if kinds.way(version.consumption).is_read:
        return WAITING, "It is made when the first version is promoted.", url
    return MISSING, "", url


def _counted(count: int, words: str, url: str, *, is_live: bool) -> _Look:
    """What only a live version can have is waited for until it is live."""
    if count:
        return DONE, words, url
    return (MISSING, "", url) if is_live else (WAITING, "It comes when the version is live.", url)


def _card_url(version: ModelVersion) -> str:
    return reverse("registry:card", args=[version.model.name, version.number])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _and(words: list[str]) -> str:
    return "".join(words) if len(words) < 2 else f"{', '.join(words[:-1])} and {words[-1]}"
