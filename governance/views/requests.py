"""The approver's queue, and what may be done with a request besides signing it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError
from governance import queue, rollout
from governance.forms import MapAuthorForm, OpenForm, QueueFilter, WithdrawForm
from governance.services import promotions
from governance.views import detail
from registry.services import versions as registry_versions

PER_PAGE = 50


class RequestListView(CallerMixin, TemplateView):
    """What waits for whom and since when; what waits for me comes first."""

    template_name = "governance/request_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = QueueFilter(self.request.GET or None)
        chosen = form.cleaned_data if form.is_valid() else {}
        rows, mine = queue.rows_for(self.caller, chosen)
        page = Paginator(rows, PER_PAGE).get_page(self.request.GET.get("page"))
        return super().get_context_data(
            **kwargs,
            form=form,
            page_obj=page,
            rows=queue.filled(self.caller, page.object_list),
            mine=mine,
            total=page.paginator.count,
            fact=queue.fact(self.caller),
            may_open=self.caller.may(Capability.REQUEST_OPEN),
            is_filtered=any(chosen.values()),
            open_url=reverse("governance:request-open"),
        )


class RequestOpenView(CallerMixin, TemplateView):
    """Ask for a version to be put into an environment."""

    template_name = "governance/request_open.html"
    capability = Capability.REQUEST_OPEN

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = OpenForm(
            workspace=self.caller.workspace,
            initial={name: request.GET.get(name) for name in ("version", "environment")},
        )
        return self.render_to_response({"form": form})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = OpenForm(request.POST, workspace=self.caller.workspace)
        if not form.is_valid():
            return self.render_to_response({"form": form}, status=422)
        try:
            promotion = promotions.open_request(caller=self.caller, **form.cleaned_data)
        except DomainError as error:
            return self.render_to_response({"form": form, "problem": error}, status=409)
        messages.success(request, f"{promotion} is open: {promotion.title}.")
        return redirect("governance:request-detail", number=promotion.number)


@require_safe
@caller_required(Capability.VIEW)
def running(request: Any, number: int) -> HttpResponse:
    """The evidence under way, polled by the page; when none is left the page loads itself anew."""
    promotion = detail.found(request.caller, number)
    part = detail.running_context(promotion)
    response = render(request, "governance/_request_running.html", part)
    if not part["running"]:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@caller_required(Capability.REQUEST_OPEN)
def withdraw(request: Any, number: int) -> HttpResponse:
    """Take a request back."""
    form = WithdrawForm(request.POST)
    if not form.is_valid():
        return detail.page(request, number, status=422, withdraw_form=form)

    def act(caller: Caller, promotion: Any) -> str:
        promotions.withdraw(caller=caller, promotion=promotion, reason=form.cleaned_data["reason"])
        return f"{promotion} is withdrawn."

    return _acted(request, number, act)


@require_POST
@caller_required(Capability.EVIDENCE_RUN)
def ask(request: Any, number: int) -> HttpResponse:
    """Ask again for evidence that is missing or failed."""

    def act(caller: Caller, promotion: Any) -> str:
        promotions.refresh_gates(promotion, caller=caller, ask=True)
        return "Asked for what is missing; the gates were evaluated again."

    return _acted(request, number, act)


@require_POST
@caller_required(Capability.ROLLOUT_OPERATE)
def start_rollout(request: Any, number: int) -> HttpResponse:
    """Start the rollout of an approval that did not start by itself."""

    def act(caller: Caller, promotion: Any) -> str:
        rollout.start_later(promotion, caller=caller)
        return "The rollout started."

    return _acted(request, number, act)


@require_POST
@caller_required(Capability.WORKSPACE_ADMIN)
def map_author(request: Any, number: int) -> HttpResponse:
    """Say which person an author is, so that the request can be approved, by others."""
    form = MapAuthorForm(request.POST, workspace=request.caller.workspace)
    if not form.is_valid():
        return detail.page(request, number, status=422, map_form=form)

    def act(caller: Caller, promotion: Any) -> str:
        registry_versions.map_author(
            caller=caller,
            version=promotion.version,
            identity=form.cleaned_data["identity"],
            user=form.cleaned_data["user"],
        )
        promotions.refresh_gates(promotion, caller=caller)
        return f"{form.cleaned_data['identity']} is {form.cleaned_data['user']}."

    return _acted(request, number, act)


def _acted(request: Any, number: int, act: Any) -> HttpResponse:
    """Do it and show the request again; a refusal stands on its page."""
    promotion = detail.found(request.caller, number)
    try:
        said = act(request.caller, promotion)
    except DomainError as error:
        return detail.page(request, number, status=409, problem=error)
    messages.success(request, said)
    return redirect("governance:request-detail", number=number)
