"""Pages of alerts and rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views import View
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from audit import selectors as audit
from common.errors import DomainError, NotFound
from common.ui.figures import num
from monitoring import calendar, selectors
from monitoring.forms import BacktestForm, MuteForm, NoteForm, RuleForm
from monitoring.models import Alert, AlertRule
from monitoring.services import alerts, rules

PAGE = 50
BLUE, RED = "#4c7fe0", "#d9534a"


class AlertList(CallerMixin, TemplateView):
    """Every alert, the newest first, by state."""

    template_name = "monitoring/alert_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = selectors.alerts_for(self.caller.workspace)
        state = self.request.GET.get("state", "")
        if state in Alert.State.values:
            found = found.filter(state=state)
        page = Paginator(found, PAGE).get_page(self.request.GET.get("page"))
        return super().get_context_data(
            page_obj=page, states=Alert.State.choices, state=state, **kwargs
        )


class AlertDetail(CallerMixin, TemplateView):
    """One alert: cause, what to do now, and what became of it."""

    template_name = "monitoring/alert_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        alert = _alert(self.caller, self.kwargs["uid"])
        return super().get_context_data(**_alert_context(alert, self.caller), **kwargs)


@require_POST
@caller_required(Capability.ALERT_HANDLE)
def alert_handle(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Acknowledge, resolve, or mute its rule."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    alert = _alert(caller, uid)
    wish = request.POST.get("do", "")
    try:
        said = _handle(request, caller, alert, wish)
    except DomainError as error:
        context = {**_alert_context(alert, caller), "problem": error}
        return render(request, "monitoring/alert_detail.html", context, status=409)
    if said is None:
        context = {**_alert_context(alert, caller), "problem": "Which button was that?"}
        return render(request, "monitoring/alert_detail.html", context, status=422)
    messages.success(request, said)
    return redirect("monitoring:alert-detail", uid=uid)


def _handle(request: HttpRequest, caller: Caller, alert: Alert, wish: str) -> str | None:
    note = NoteForm(request.POST)
    mute = MuteForm(request.POST)
    if wish == "mute":
        if not mute.is_valid():
            return None
        days = int(mute.cleaned_data["days"])
        until = timezone.now() + timedelta(days=days) if days else None
        rules.mute(caller=caller, rule=alert.rule, until=until)
        return f"“{alert.rule.name}” " + ("is muted." if days else "is no longer muted.")
    if not note.is_valid():
        return None
    text = note.cleaned_data["note"]
    if wish == "acknowledge":
        alerts.acknowledge(caller=caller, alert=alert, note=text)
        return f"{alert} is yours."
    if wish == "resolve":
        alerts.resolve(caller=caller, alert=alert, note=text)
        return f"{alert} is resolved; its rule may open the next."
    return None


class RuleDetail(CallerMixin, TemplateView):
    """A rule and its back-test on the stored windows, perhaps with other numbers."""

    template_name = "monitoring/rule_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rule = _rule(self.caller, self.kwargs["uid"])
        present = {"threshold": rule.threshold, "k": rule.k, "n": rule.n}
        form = BacktestForm(self.request.GET or None, initial=present)
        instead = form.instead() if self.request.GET and form.is_valid() else {}
        problem = None
        try:
            tried = rules.backtest(rule, **instead)
        except DomainError as error:
            problem, instead = error, {}
            tried = rules.backtest(rule)
        threshold = instead.get("threshold", rule.threshold)
        return super().get_context_data(
            rule=rule,
            form=form,
            problem=problem,
            instead=instead,
            tried=tried,
            chart=_backtest_chart(rule, tried, threshold),
            may_edit=self.caller.may(Capability.MONITOR_EDIT),
            **kwargs,
        )


class RuleCreate(CallerMixin, View):
    """A new rule for a monitor."""

    capability = Capability.MONITOR_EDIT

    def get(self, request: HttpRequest, uid: UUID) -> HttpResponse:
        return self._page(RuleForm(), uid)

    def post(self, request: HttpRequest, uid: UUID) -> HttpResponse:
        form = RuleForm(request.POST)
        if not form.is_valid():
            return self._page(form, uid, status=422)
        try:
            monitor = selectors.get_monitor(self.caller.workspace, uid)
            rule = rules.create(caller=self.caller, monitor=monitor, **form.content())
        except NotFound as error:
            raise Http404(error.message) from error
        except DomainError as error:
            for name, reasons in error.fields.items():
                form.add_error(name if name in form.fields else None, list(reasons))
            problem = None if error.fields else error
            return self._page(form, uid, problem=problem, status=409)
        messages.success(request, f"“{rule.name}” is there. This is what it would have said.")
        return redirect("monitoring:rule-detail", uid=rule.uid)

    def _page(
        self, form: RuleForm, uid: UUID, *, problem: DomainError | None = None, status: int = 200
    ) -> HttpResponse:
        try:
            monitor = selectors.get_monitor(self.caller.workspace, uid)
        except NotFound as error:
            raise Http404(error.message) from error
        context = {"form": form, "monitor": monitor, "problem": problem}
        return render(self.request, "monitoring/rule_create.html", context, status=status)


@require_POST
@caller_required(Capability.MONITOR_EDIT)
def rule_switch(request: HttpRequest, uid: UUID) -> HttpResponse:
    """On or off."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    rule = _rule(caller, uid)
    try:
        rules.switch(caller=caller, rule=rule, is_active=request.POST.get("do") == "on")
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("monitoring:rule-detail", uid=uid)


def _backtest_chart(
    rule: AlertRule, tried: dict[str, Any], threshold: float
) -> dict[str, Any] | None:
    history = tried["history"]
    if not history:
        return None
    kind = rule.monitor.window_kind
    axis = [calendar.short(item["start"], kind) for item in history]
    name = rule.get_metric_display()
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": axis,
            "y": [item["value"] for item in history],
            "name": name,
            "line": {"color": BLUE},
        },
        {
            "type": "scatter",
            "mode": "lines",
            "x": axis,
            "y": [threshold] * len(axis),
            "name": "limit",
            "line": {"color": RED, "dash": "dash"},
        },
    ]
    return {
        "caption": tried["sentence"],
        "spec": {
            "data": data,
            "layout": {
                "margin": {"l": 56, "r": 8, "t": 8, "b": 40},
                "legend": {"orientation": "h", "y": 1.2},
                "xaxis": {"type": "category"},
                "yaxis": {"title": {"text": name}, "rangemode": "tozero"}
                if rule.kind == AlertRule.Kind.DRIFT
                else {"title": {"text": name}},
            },
        },
        "columns": ["Window", {"label": name, "numeric": True}, "Column", "It would have"],
        "rows": [
            [x, num(item["value"], 3), item["column"] or "–", _said(item)]
            for x, item in zip(axis, history, strict=True)
        ],
    }


def _said(item: dict[str, Any]) -> str:
    if item["would_alert"]:
        return "opened an alert"
    return "crossed" if item["crossed"] else "stayed calm"


def _alert_context(alert: Alert, caller: Caller) -> dict[str, Any]:
    return {
        "alert": alert,
        "window_label": calendar.label(alert.window.start, alert.monitor.window_kind),
        "events": audit.history("alert", str(alert.uid), workspace=caller.workspace),
        "may_handle": caller.may(Capability.ALERT_HANDLE),
        "note_form": NoteForm(),
        "mute_form": MuteForm(),
    }


def _alert(caller: Caller, uid: UUID) -> Alert:
    try:
        return selectors.get_alert(caller.workspace, uid)
    except NotFound as error:
        raise Http404(error.message) from error


def _rule(caller: Caller, uid: UUID) -> AlertRule:
    try:
        return selectors.get_rule(caller.workspace, uid)
    except NotFound as error:
        raise Http404(error.message) from error
