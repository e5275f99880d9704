"""What works now, what went wrong, what is done; and the bar that every long thing shows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError, NotAllowed, NotFound
from jobs import policies, registry, selectors
from jobs.models import Job
from jobs.services.cancel import cancel as cancel_job
from jobs.services.retry import retry as retry_job

SHOWN_LIVE = 50
PER_PAGE = 50


class JobFilter(forms.Form):
    """The finished jobs by how they ended, and all by what they do."""

    state = forms.ChoiceField(
        required=False,
        label="Ended",
        choices=[("", "In any way"), *((s.value, s.label) for s in sorted(Job.TERMINAL))],
    )
    q = forms.CharField(required=False, label="Title", max_length=100)


class JobListView(CallerMixin, TemplateView):
    """What runs now, live, above what is over, by page."""

    template_name = "jobs/job_list.html"
    problem: DomainError | None = None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = JobFilter(self.request.GET or None)
        finished = selectors.jobs_for(self.caller.workspace).filter(state__in=Job.TERMINAL)
        if form.is_valid():
            if state := form.cleaned_data["state"]:
                finished = finished.filter(state=state)
            if words := form.cleaned_data["q"]:
                finished = finished.filter(title__icontains=words)
        page = Paginator(finished, PER_PAGE).get_page(self.request.GET.get("page"))
        for job in page:
            _add_powers(job, self.caller)
        return super().get_context_data(
            **kwargs,
            **_live(self.caller),
            wrong=_wrong_lately(self.caller),
            form=form,
            page_obj=page,
            problem=self.problem,
        )


class LiveJobsView(CallerMixin, TemplateView):
    """The table of what runs now; htmx asks for it until nothing does."""

    template_name = "jobs/_live_jobs.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs, **_live(self.caller))


class JobProgressView(CallerMixin, TemplateView):
    """One job's bar: ``components/_progress.html``, polled each second until it is over."""

    template_name = "components/_progress.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        try:
            job = selectors.get_job(self.caller.workspace, self.kwargs["uid"])
        except NotFound as error:
            raise Http404(error.message) from error
        return super().get_context_data(**kwargs, **progress_context(job, self.caller))

    def render_to_response(self, context: dict[str, Any], **options: Any) -> HttpResponse:
        response = super().render_to_response(context, **options)
        if context["job"].is_terminal and self.request.htmx:
            # The page around the bar has something to show now.
            response["HX-Refresh"] = "true"
        return response


def progress_context(job: Job, caller: Caller) -> dict[str, Any]:
    """What a page includes ``components/_progress.html`` with."""
    may_cancel = _is_cancellable(job) and policies.why_not_change(caller, job) is None
    return {
        "job": job,
        "poll_url": reverse("jobs:progress", args=[job.uid]),
        "cancel_url": reverse("jobs:cancel", args=[job.uid]) if may_cancel else "",
    }


@require_POST
@caller_required(Capability.VIEW)
def cancel(request: HttpRequest, uid: UUID) -> HttpResponse:
    caller: Caller = request.caller  # type: ignore[attr-defined]
    try:
        job = cancel_job(uid=uid, caller=caller)
    except DomainError as error:
        return _refused(request, error)
    if request.headers.get("HX-Request"):
        return render(request, "components/_progress.html", progress_context(job, caller))
    messages.success(
        request,
        f"“{job.title}” is cancelled."
        if job.is_terminal
        else f"“{job.title}” is asked to stop and ends at its next step.",
    )
    return redirect(_back(request))


@require_POST
@caller_required(Capability.VIEW)
def retry(request: HttpRequest, uid: UUID) -> HttpResponse:
    caller: Caller = request.caller  # type: ignore[attr-defined]
    try:
        job = retry_job(uid=uid, caller=caller)
    except DomainError as error:
        return _refused(request, error)
    messages.success(request, f"“{job.title}” runs again, from where it was saved.")
    return redirect(_back(request))


def _refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """The list again with the reason in it: 409, or what the error means."""
    if isinstance(error, NotFound):
        raise Http404(error.message) from error
    view = JobListView()
    view.setup(request)
    view.caller = request.caller  # type: ignore[attr-defined]
    view.problem = error
    status = 403 if isinstance(error, NotAllowed) else 409
    return render(request, JobListView.template_name, view.get_context_data(), status=status)


def _live(caller: Caller) -> dict[str, Any]:
    unfinished = selectors.jobs_for(caller.workspace).filter(state__in=selectors.UNFINISHED)
    live = list(unfinished.order_by("pk")[: SHOWN_LIVE + 1])
    for job in live:
        _add_powers(job, caller)
    return {"live": live[:SHOWN_LIVE], "more_live": len(live) > SHOWN_LIVE}


def _wrong_lately(caller: Caller) -> int:
    return selectors.jobs_for(caller.workspace).filter(state__in=selectors.GONE_WRONG).count()


def _add_powers(job: Any, caller: Caller) -> None:
    """What this caller may do with it, for the template."""
    may = policies.why_not_change(caller, job) is None
    job.may_cancel = may and _is_cancellable(job)
    job.may_retry = may and job.state in (*selectors.GONE_WRONG, Job.State.CANCELLED)


def _is_cancellable(job: Job) -> bool:
    kind = registry.find_kind(job.kind)
    is_offered = kind is None or kind.cancelling != "never"
    return is_offered and not job.is_terminal and not job.cancel_requested


def _back(request: HttpRequest) -> str:
    """Where the button was, if that is one of our own pages."""
    came_from = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(
        came_from, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return came_from
    return reverse("jobs:list")
