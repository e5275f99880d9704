"""Evidently's report: asked for, waited for, and shown in a frame that can do nothing else."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import NotFound
from monitoring import calendar, selectors
from monitoring.models import Report
from monitoring.services import reports

#: The page is Evidently's, with scripts of its own: no network, no cookies, no forms, no origin.
FRAME_POLICY: dict[str, Any] = {
    "sandbox": ["allow-scripts"],
    "default-src": [NONE],
    "script-src": [UNSAFE_INLINE],
    "style-src": [UNSAFE_INLINE],
    "style-src-attr": None,
    "frame-src": None,
    "img-src": ["data:"],
    "font-src": ["data:"],
    "frame-ancestors": [SELF],
}


@require_POST
@caller_required(Capability.VIEW)
def report_ask(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Ask for the report of one window, or find the one that is there."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    try:
        monitor = selectors.get_monitor(caller.workspace, uid)
        start = datetime.fromisoformat(request.POST.get("window", "")[:10]).replace(tzinfo=UTC)
        window = selectors.get_window(monitor, start)
    except (NotFound, ValueError) as error:
        raise Http404("There is no such window here.") from error
    report, _ = reports.ask(caller=caller, window=window)
    return redirect("monitoring:report-detail", uid=report.uid)


class ReportDetail(CallerMixin, TemplateView):
    """The report in its frame, or how far it is."""

    template_name = "monitoring/report_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        report = _report(self.caller, self.kwargs["uid"])
        monitor = report.window.monitor
        return super().get_context_data(
            report=report,
            monitor=monitor,
            window_label=calendar.label(report.window.start, monitor.window_kind),
            window_value=f"{report.window.start:%Y-%m-%d}",
            is_current=report.revision == report.window.revision,
            job=report.job,
            poll_url=reverse("jobs:progress", args=[report.job.uid]) if report.job else "",
            **kwargs,
        )


@require_safe
@xframe_options_sameorigin
@csp_replace(FRAME_POLICY)
@caller_required(Capability.VIEW)
def report_frame(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Evidently's own page, for the frame alone."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    report = _report(caller, uid)
    page = Report.objects.values_list("html", flat=True).get(pk=report.pk)
    if page is None:
        raise Http404("The report is not ready.")
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response = HttpResponse(bytes(page), headers={"Content-Encoding": "gzip"})
    else:
        response = HttpResponse(gzip.decompress(bytes(page)))
    response["Vary"] = "Accept-Encoding, Cookie"
    response["Cache-Control"] = "private, max-age=300"
    return response


def _report(caller: Caller, uid: UUID) -> Report:
    try:
        return selectors.get_report(caller.workspace, uid)
    except NotFound as error:
        raise Http404(error.message) from error
