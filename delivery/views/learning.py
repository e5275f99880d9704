"""An online learner's page: its plan, its snapshots, how stale they are, the frozen fallback."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError
from delivery.forms import FallbackForm, PlanForm
from delivery.models import Fallback, LearningPlan, Snapshot
from delivery.services import fallbacks, learning
from registry import selectors as registry
from registry.models import RegisteredModel
from registry.views.common import found_or_404, put_beside

PAGE = 25
#: By state: tone and icon of its badge.
LOOKS = {
    Snapshot.State.ASKED: ("primary", "clock"),
    Snapshot.State.REGISTERED: ("success", "check"),
    Snapshot.State.UNCHANGED: ("secondary", "minus"),
    Snapshot.State.FAILED: ("danger", "x"),
}


class LearningDetail(CallerMixin, TemplateView):
    """How often this model is frozen, what came of it, and what it falls back on."""

    capability = Capability.VIEW
    template_name = "delivery/learning_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return context(self.request, self.caller, _model(self.caller, kwargs["name"]))


def context(request: Any, caller: Caller, model: RegisteredModel) -> dict[str, Any]:
    """What the page shows."""
    plan = (
        LearningPlan.objects.select_related("set_by").filter(model=model, stopped_at=None).first()
    )
    rows = Snapshot.objects.filter(plan__model=model).select_related("version")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return {
        "model": model,
        "plan": plan,
        "shown_url": learning.shown_url(plan.url) if plan is not None else "",
        "age": learning.age(plan) if plan is not None else None,
        "page_obj": page,
        "snapshots": [(it, *LOOKS[Snapshot.State(it.state)]) for it in page.object_list],
        "fallback": Fallback.objects.select_related("version").filter(model=model).first(),
        "may_edit": caller.may(Capability.MODEL_EDIT),
        "may_operate": caller.may(Capability.ROLLOUT_OPERATE),
        "plan_form": _plan_form(plan),
        "fallback_form": FallbackForm(model=model, auto_id="fallback_%s"),
        "section": "inventory",
    }


@require_POST
@caller_required(Capability.MODEL_EDIT)
def plan_set(request: Any, name: str) -> HttpResponse:
    """Set the plan, or stop it."""
    model = _model(request.caller, name)
    if request.POST.get("do") == "stop":
        return _done(request, model, "No more snapshots.", partial(learning.stop, model=model))
    if request.POST.get("do") == "now":
        return _done(
            request, model, "A snapshot is asked for.", partial(learning.ask_now, model=model)
        )
    form = PlanForm(request.POST)
    if not form.is_valid():
        return _page(request, model, status=422, plan_form=form)
    try:
        learning.set_plan(caller=request.caller, model=model, **form.plan())
    except DomainError as error:
        problem = put_beside(form, error)
        return _page(request, model, status=409, plan_form=form, problem=problem)
    messages.success(request, "The plan is set; the first snapshot is due now.")
    return redirect("delivery:learning-detail", name=model.name)


@require_POST
@caller_required(Capability.ROLLOUT_OPERATE)
def fallback_set(request: Any, name: str) -> HttpResponse:
    """Freeze a version to fall back on, or take it away."""
    model = _model(request.caller, name)
    if request.POST.get("do") == "clear":
        return _done(
            request, model, "There is no fallback any more.", partial(fallbacks.clear, model=model)
        )
    form = FallbackForm(request.POST, model=model, auto_id="fallback_%s")
    if not form.is_valid():
        return _page(request, model, status=422, fallback_form=form)
    version = form.cleaned_data["version"]
    return _done(
        request,
        model,
        f"Version {version.number} is what readers fall back on.",
        partial(fallbacks.freeze, version=version, reason=form.cleaned_data["reason"]),
    )


def _done(
    request: Any, model: RegisteredModel, sentence: str, act: Callable[..., Any]
) -> HttpResponse:
    try:
        act(caller=request.caller)
    except DomainError as error:
        return _page(request, model, status=409, problem=error)
    messages.success(request, sentence)
    return redirect("delivery:learning-detail", name=model.name)


def _plan_form(plan: LearningPlan | None) -> PlanForm:
    if plan is None:
        return PlanForm()
    unit = next(it for it in (86_400, 3600, 60, 1) if plan.every_seconds % it == 0)
    unit = max(unit, 60)
    return PlanForm(
        initial={
            "how": plan.how,
            "url": learning.shown_url(plan.url),
            "every": plan.every_seconds // unit,
            "unit": str(unit),
        }
    )


def _model(caller: Caller, name: str) -> RegisteredModel:
    model: RegisteredModel = found_or_404(lambda: registry.get_model(caller.workspace, name))
    return model


def _page(request: Any, model: RegisteredModel, *, status: int, **more: Any) -> HttpResponse:
    found = {**context(request, request.caller, model), **more}
    return render(request, "delivery/learning_detail.html", found, status=status)
