"""Cards of delivery on the registry's pages: how a model reaches its callers, what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from delivery import fleet as fleets
from delivery.models import BatchReceipt, Device, Fallback, LearningPlan, Recall, Route
from delivery.needs import ABSENT, DONE, MISSING, NONE, WAITING, needs_of
from delivery.services import learning
from delivery.views import fleet_story, receipts
from registry import kinds
from registry import selectors as registry

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel

#: By state: word, tone and icon of its badge.
LOOKS = {
    DONE: ("There", "success", "check"),
    MISSING: ("Missing", "warning", "alert-triangle"),
    WAITING: ("Comes later", "secondary", "clock"),
    ABSENT: ("Optional", "secondary", "minus"),
    NONE: ("Not applicable", "secondary", "minus"),
}


class ReachPart:
    """Who runs the model and how: routes that are read, runs, devices, snapshots, recalls."""

    template = "delivery/_reach_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        routes = list(
            Route.objects.filter(model=model)
            .select_related("environment", "gateway", "taken_version", "held_version")
            .order_by("environment__position")
        )
        newest = registry.versions_for(model).first()
        plan = LearningPlan.objects.filter(model=model, stopped_at=None).first()
        fallback = Fallback.objects.filter(model=model).select_related("version").first()
        way = kinds.way(newest.consumption) if newest is not None else None
        wants = way.wants if way is not None else {}
        has = {
            "receipts": BatchReceipt.objects.filter(model=model).exists(),
            "devices": Device.objects.filter(model=model).exists(),
        }
        shown = {
            key: has[key] or (key in wants and wants[key][0] is kinds.Want.NEEDED) for key in has
        }
        recalls = list(Recall.objects.filter(model=model, lifted_at=None).select_related("version"))
        is_plain = way is None or not way.is_read
        if is_plain and not (any(shown.values()) or plan or fallback or recalls):
            return None
        live = {
            it.environment.pk: it.version
            for it in registry.live_versions(model.workspace, models=[model])
        }
        return {
            "model": model,
            "sentence": way.sentence if way is not None else "",
            "routes": [(it, live.get(it.environment_id)) for it in routes],
            "receipts": receipts.figures(model) if shown["receipts"] else None,
            "fleet": _fleet(model) if shown["devices"] else "",
            "recalls": recalls,
            "plan": plan,
            "age": learning.age(plan) if plan is not None else None,
            "fallback": fallback,
        }


def _fleet(model: RegisteredModel) -> str:
    fleet = fleets.fleet_of(model)
    return fleet_story.fact(fleet, fleets.summary(fleet))


class NeedsPart:
    """What this version's kind and consumption ask for, and how far it is with it."""

    template = "delivery/_needs_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        if version is None:
            return None
        needs = needs_of(version)
        rows = [(need, *LOOKS[need.state]) for need in needs]
        return {
            "version": version,
            "sentence": kinds.way(version.consumption).sentence,
            "asked": [row for row in rows if row[0].state != NONE],
            "not_asked": [row for row in rows if row[0].state == NONE],
            "missing": sum(need.state == MISSING for need in needs),
            "done": sum(need.state == DONE for need in needs),
        }
