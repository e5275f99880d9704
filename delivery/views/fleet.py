"""A model's fleet: shares over time, rings, laggards, recalls; and the buttons that act on them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError
from delivery import fleet as fleets
from delivery.filters import DeviceFilter, silent_days
from delivery.forms import ReasonForm, RecallForm, RingsForm
from delivery.models import Recall
from delivery.services import recalls, rings, routes
from delivery.views import fleet_story
from registry import selectors as registry
from registry.models import RegisteredModel
from registry.views.common import found_or_404, put_beside

PAGE, DAYS = 50, 90
OPERATE = Capability.ROLLOUT_OPERATE


class FleetDetail(CallerMixin, TemplateView):
    """Who runs what, who lags behind, and how far the newest version has come."""

    capability = Capability.VIEW
    template_name = "delivery/fleet_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return context(self.request, self.caller, _model(self.caller, kwargs["name"]))


def context(request: HttpRequest, caller: Caller, model: RegisteredModel) -> dict[str, Any]:
    """All that the page shows; as many queries for a million devices as for one."""
    fleet = fleets.fleet_of(model, silent_days=silent_days(request.GET))
    found = fleets.summary(fleet)
    asked = {key for key, value in request.GET.items() if value and key != "page"}
    listed = DeviceFilter(request.GET or None, queryset=fleets.devices(fleet))
    # Nobody has asked for anything: then the devices that something is the matter with.
    rows = listed.qs if asked else listed.qs.exclude(state=fleets.CURRENT)
    since = timezone.now().date() - timedelta(days=DAYS)
    may_operate = caller.may(OPERATE)
    on = {it.version.pk: it.devices for it in found.shares if it.version is not None}
    return {
        "model": model,
        "fleet": fleet,
        "summary": found,
        "fact": fleet_story.fact(fleet, found),
        "chart": fleet_story.chart(fleet, fleets.days(model, since=since)),
        "looks": fleet_story.LOOKS,
        "shares": [(it, fleet_story.look(it.state)) for it in found.shares],
        "rings": fleet_story.rings(fleet, found),
        "page_obj": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "form": listed.form,
        "is_filtered": bool(asked),
        "recalls": [(it, on.get(it.version_id, 0)) for it in fleet.recalls],
        "past_recalls": list(
            Recall.objects.filter(model=model)
            .exclude(lifted_at=None)
            .select_related("version")[:10]
        ),
        "may_operate": may_operate,
        "recall_form": RecallForm(model=model) if may_operate else None,
        "lift_form": ReasonForm(auto_id="lift_%s") if may_operate else None,
        "rings_form": RingsForm(
            initial={"rings": "\n".join(f"{it.name} {it.share}" for it in fleet.rings)}
        )
        if may_operate
        else None,
        "section": "inventory",
    }


@require_POST
@caller_required(OPERATE)
def recall_order(request: Any, name: str) -> HttpResponse:
    """Call a version back: first a page that names how many devices that concerns, then the act."""
    model = _model(request.caller, name)
    form = RecallForm(request.POST, model=model)
    if not form.is_valid():
        return _page(request, model, status=422, recall_form=form)
    version = form.cleaned_data["version"]
    told = request.POST.get("devices", "")
    if not (told.isascii() and told.isdigit() and len(told) < 10):
        fleet = fleets.fleet_of(model)
        on = fleets.devices(fleet).filter(version=version).count()
        return render(
            request,
            "delivery/recall_confirm.html",
            {
                "model": model,
                "version": version,
                "reason": form.cleaned_data["reason"],
                "devices": on,
                "is_live": fleet.live is not None and fleet.live.pk == version.pk,
                "section": "inventory",
            },
        )
    try:
        recall = recalls.order(
            caller=request.caller,
            version=version,
            reason=form.cleaned_data["reason"],
            devices=int(told),
        )
    except DomainError as error:
        problem = put_beside(form, error)
        return _page(request, model, status=409, recall_form=form, problem=problem)
    messages.success(request, f"Version {version.number} is called back: {recall.devices} devices.")
    return redirect("delivery:fleet-detail", name=model.name)


@require_POST
@caller_required(OPERATE)
def recall_lift(request: Any, name: str, uid: UUID) -> HttpResponse:
    """End a recall."""
    model = _model(request.caller, name)
    form = ReasonForm(request.POST, auto_id="lift_%s")
    if not form.is_valid():
        return _page(request, model, status=422, problem="Say why the recall is lifted.")
    try:
        recall = recalls.lift(caller=request.caller, uid=uid, reason=form.cleaned_data["reason"])
    except DomainError as error:
        return _page(request, model, status=409, problem=error)
    messages.success(request, f"Version {recall.version.number} may be run again where it is live.")
    return redirect("delivery:fleet-detail", name=model.name)


@require_POST
@caller_required(OPERATE)
def rings_set(request: Any, name: str) -> HttpResponse:
    """Set the rings anew; the route is made where no version has been promoted yet."""
    model = _model(request.caller, name)
    form = RingsForm(request.POST)
    if not form.is_valid():
        return _page(request, model, status=422, rings_form=form)
    try:
        route = fleets.fleet_of(model).route
        if route is None:
            last = registry.environments(model.workspace).last()
            route = routes.ensure(model=model, environment=last) if last is not None else None
        if route is not None:
            rings.set_rings(caller=request.caller, route=route, rings=form.cleaned_data["rings"])
    except DomainError as error:
        problem = put_beside(form, error)
        return _page(request, model, status=409, rings_form=form, problem=problem)
    messages.success(request, "The rings are set.")
    return redirect("delivery:fleet-detail", name=model.name)


@require_POST
@caller_required(OPERATE)
def ring_open(request: Any, name: str) -> HttpResponse:
    """Let the next ring have the live version."""
    model = _model(request.caller, name)
    route = fleets.fleet_of(model).route
    ring = request.POST.get("ring", "")[:64]
    if route is None:
        return _page(request, model, status=409, problem="There are no rings yet.")
    try:
        rings.open_next(caller=request.caller, route=route, ring=ring)
    except DomainError as error:
        return _page(request, model, status=409, problem=error)
    messages.success(request, f"The ring {ring} gets the live version from now on.")
    return redirect("delivery:fleet-detail", name=model.name)


def _model(caller: Caller, name: str) -> RegisteredModel:
    model: RegisteredModel = found_or_404(lambda: registry.get_model(caller.workspace, name))
    return model


def _page(request: Any, model: RegisteredModel, *, status: int, **more: Any) -> HttpResponse:
    found = {**context(request, request.caller, model), **more}
    return render(request, "delivery/fleet_detail.html", found, status=status)
