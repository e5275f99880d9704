"""Findings: the list, one of them, and what may be done with it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.http import caller_of
from accounts.models import Workspace
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from audit.selectors import history
from common.errors import DomainError, NotFound
from governance import selectors
from governance.filters import FindingFilter
from governance.forms import FindingChangeForm, FindingCloseForm, FindingForm
from governance.models import Finding
from governance.services import findings

PER_PAGE = 50


class FindingListView(CallerMixin, TemplateView):
    """What must be dealt with; the open ones first, the soonest due first."""

    template_name = "governance/finding_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = FindingFilter(
            self.request.GET or None, queryset=selectors.findings(self.caller.workspace)
        )
        page = Paginator(found.qs, PER_PAGE).get_page(self.request.GET.get("page"))
        return super().get_context_data(
            **kwargs,
            form=found.form,
            page_obj=page,
            today=timezone.now().date(),
            fact=fact(self.caller.workspace),
            is_filtered=bool(self.request.GET),
            may_edit=self.caller.may(Capability.FINDING_EDIT),
        )


class FindingDetailView(CallerMixin, TemplateView):
    """One finding: where it came from, whose it is, by when, and how it ended."""

    def get(self, request: Any, number: int) -> HttpResponse:
        return page(request, number)


class FindingCreateView(CallerMixin, TemplateView):
    """Write a finding by hand."""

    template_name = "governance/finding_create.html"
    capability = Capability.FINDING_EDIT

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render_to_response({"form": FindingForm(workspace=self.caller.workspace)})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = FindingForm(request.POST, workspace=self.caller.workspace)
        if not form.is_valid():
            return self.render_to_response({"form": form}, status=422)
        try:
            finding = findings.open_finding(caller=self.caller, **form.cleaned_data)
        except DomainError as error:
            return self.render_to_response({"form": form, "problem": error}, status=409)
        messages.success(request, f"{finding} is open.")
        return redirect("governance:finding-detail", number=finding.number)


@require_POST
@caller_required(Capability.FINDING_EDIT)
def close(request: Any, number: int) -> HttpResponse:
    """Close it with what was done about it."""
    finding = _found(request.caller.workspace, number)
    form = FindingCloseForm(request.POST)
    if not form.is_valid():
        return page(request, number, status=422, close_form=form)
    try:
        findings.close(
            caller=request.caller, finding=finding, resolution=form.cleaned_data["resolution"]
        )
    except DomainError as error:
        return page(request, number, status=409, problem=error)
    messages.success(request, f"{finding} is closed.")
    return redirect("governance:finding-detail", number=number)


@require_POST
@caller_required(Capability.FINDING_EDIT)
def change(request: Any, number: int) -> HttpResponse:
    """Another severity, owner or date."""
    finding = _found(request.caller.workspace, number)
    form = FindingChangeForm(request.POST, workspace=request.caller.workspace)
    if not form.is_valid():
        return page(request, number, status=422, change_form=form)
    try:
        findings.update(caller=request.caller, finding=finding, **form.cleaned_data)
    except DomainError as error:
        return page(request, number, status=409, problem=error)
    messages.success(request, f"{finding} is changed.")
    return redirect("governance:finding-detail", number=number)


def page(request: Any, number: int, *, status: int = 200, **extra: Any) -> HttpResponse:
    """The whole page, with a problem or a filled form where there is one."""
    caller: Caller = caller_of(request)
    finding = _found(caller.workspace, number)
    may_edit = caller.may(Capability.FINDING_EDIT) and finding.state == Finding.State.OPEN
    context = {
        "finding": finding,
        "today": timezone.now().date(),
        "close_form": FindingCloseForm() if may_edit else None,
        "change_form": FindingChangeForm(
            workspace=caller.workspace,
            initial={
                "severity": finding.severity,
                "owner": finding.owner_id,
                "due_on": finding.due_on,
            },
        )
        if may_edit
        else None,
        "events": history("finding", str(finding.uid)),
    }
    return render(request, "governance/finding_detail.html", {**context, **extra}, status=status)


def fact(workspace: Workspace) -> SafeString:
    """The list in one sentence."""
    rows = Finding.objects.filter(workspace=workspace, state=Finding.State.OPEN)
    today = timezone.now().date()
    dates = list(rows.values_list("due_on", "severity"))
    if not dates:
        return escape("No finding is open.")
    late = sum(1 for due, _ in dates if due is not None and due < today)
    high = sum(1 for _, severity in dates if severity == Finding.Severity.HIGH)
    return format_html(
        "<strong>{}</strong> open, {} of them high; <strong>{}</strong> past the date.",
        len(dates),
        high,
        late or "none",
    )


def _found(workspace: Workspace, number: int) -> Finding:
    try:
        return selectors.get_finding(workspace, number)
    except NotFound as error:
        raise Http404(error.message) from error
