"""Pages of monitors: all of them, one of them, a new one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views import View
from django.views.generic import TemplateView

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin
from audit import selectors as audit
from audit.actions import Action
from common.errors import DomainError, NotFound
from monitoring import selectors
from monitoring.forms import MonitorForm, MuteForm, NoteForm
from monitoring.models import Monitor
from monitoring.services import monitors
from monitoring.services.ingest import state_of
from monitoring.services.monitors import Meaning
from monitoring.views import story
from registry import selectors as registry

PAGE = 50
SHOWN_ALERTS = 5


class MonitorList(CallerMixin, TemplateView):
    """Every monitor, beneath the alerts that nobody has resolved."""

    template_name = "monitoring/monitor_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        workspace = self.caller.workspace
        page = Paginator(selectors.monitors_for(workspace), PAGE).get_page(
            self.request.GET.get("page")
        )
        unresolved = list(selectors.unresolved_alerts(workspace)[: PAGE + 1])
        return super().get_context_data(
            page_obj=page,
            alerts=unresolved[:PAGE],
            alerts_more=len(unresolved) > PAGE,
            may_edit=self.caller.may(Capability.MONITOR_EDIT),
            **kwargs,
        )


class MonitorDetail(CallerMixin, TemplateView):
    """What moved, what it did to the score, and what to do now."""

    template_name = "monitoring/monitor_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        monitor = _monitor(self.caller.workspace, self.kwargs["uid"])
        told = story.Story.of(monitor)
        query = self.request.GET
        chosen = story.chosen(told, query.get("column", "")[:255], query.get("window", "")[:10])
        context: dict[str, Any] = {
            "monitor": monitor,
            "story": told,
            "tier": str(monitor.model.tier),
            "fact": story.fact(told),
            "subfact": story.subfact(told),
            "heat": story.heat(told),
            "score": story.performance(told),
            "rules": story.rules(told),
            "volume": story.volume(told),
            "alerts": list(
                selectors.unresolved_alerts(self.caller.workspace).filter(monitor=monitor)[
                    :SHOWN_ALERTS
                ]
            ),
            "note_form": NoteForm(),
            "mute_form": MuteForm(),
            "may_edit": self.caller.may(Capability.MONITOR_EDIT),
            "may_handle": self.caller.may(Capability.ALERT_HANDLE),
            "windows": [
                {"value": f"{window.start:%Y-%m-%d}", "label": told.label(window)}
                for window in reversed(told.windows)
            ],
            "api_url": reverse("v1:monitor-predictions", args=[monitor.uid]),
            **_uploads(monitor),
            "refused": audit.events(
                self.caller.workspace,
                object_type="monitor",
                object_id=str(monitor.uid),
                action=Action.PREDICTIONS_REFUSED,
            ).count(),
        }
        if chosen is not None:
            column, window = chosen
            context |= {
                "column": column,
                "window": window,
                "window_value": f"{window.start:%Y-%m-%d}",
                "window_label": told.label(window),
                "distribution": story.distribution_of(told, column, window),
            }
        return super().get_context_data(**context, **kwargs)


class MonitorCreate(CallerMixin, View):
    """A form for what the API takes as JSON."""

    capability = Capability.MONITOR_EDIT

    def get(self, request: HttpRequest) -> HttpResponse:
        form = MonitorForm(workspace=self.caller.workspace)
        return self._page(form)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = MonitorForm(request.POST, workspace=self.caller.workspace)
        if not form.is_valid():
            return self._page(form, status=422)
        given = form.cleaned_data
        workspace = self.caller.workspace
        try:
            version = selectors.watchable_versions(workspace).get(uid=given["version"])
            monitor = monitors.create(
                caller=self.caller,
                name=given["name"],
                version=version,
                environment=registry.get_environment(workspace, given["environment"]),
                reference=registry.get_dataset(workspace, given["reference"], field="reference"),
                meaning=Meaning(
                    id=given["id_column"],
                    time=given["time_column"],
                    score=given["score_column"],
                    label=given["label_column"],
                ),
                window_kind=given["window"],
            )
        except DomainError as error:
            for name, reasons in error.fields.items():
                form.add_error(name if name in form.fields else None, list(reasons))
            return self._page(form, problem=error, status=409)
        messages.success(request, f"“{monitor.name}” is watching.")
        return redirect("monitoring:monitor-detail", uid=monitor.uid)

    def _page(
        self, form: MonitorForm, *, problem: DomainError | None = None, status: int = 200
    ) -> HttpResponse:
        # The fields say their own part of it.
        shown = problem if problem is not None and not problem.fields else None
        context = {"form": form, "problem": shown}
        return render(self.request, "monitoring/monitor_create.html", context, status=status)


def _monitor(workspace: Any, uid: Any) -> Monitor:
    try:
        return selectors.get_monitor(workspace, uid)
    except NotFound as error:
        raise Http404(error.message) from error


def _uploads(monitor: Monitor) -> dict[str, Any]:
    """The newest upload, and its bar while it is being counted."""
    newest = selectors.ingests_for(monitor).first()
    if newest is None:
        return {"upload": None}
    waiting = state_of(newest) == "waiting"
    return {
        "upload": newest,
        "job": newest.job if waiting else None,
        "poll_url": reverse("jobs:progress", args=[newest.job.uid]) if newest.job else "",
    }
