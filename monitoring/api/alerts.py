"""Alert rules, alerts and reports over REST."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.http import caller_of
from accounts.roles import Capability
from common.errors import Invalid
from monitoring import calendar, selectors
from monitoring.api import serializers as shapes
from monitoring.filters import AlertFilter, RuleFilter
from monitoring.models import Alert, AlertRule, Report
from monitoring.services import alerts, reports, rules


@extend_schema_view(
    list=extend_schema(summary="Alert rules, the newest first"),
    retrieve=extend_schema(summary="One alert rule"),
)
class RuleViewSet(viewsets.ReadOnlyModelViewSet[AlertRule]):
    """When somebody is told: an effect, in k of the last n windows."""

    queryset = AlertRule.objects.none()
    serializer_class = shapes.RuleOut
    filterset_class = RuleFilter
    lookup_field = "uid"
    lookup_value_converter = "uuid"
    capabilities: ClassVar = {
        "list": Capability.VIEW,
        "retrieve": Capability.VIEW,
        "create": Capability.MONITOR_EDIT,
        "backtest": Capability.VIEW,
        "mute": Capability.ALERT_HANDLE,
        "activate": Capability.MONITOR_EDIT,
        "deactivate": Capability.MONITOR_EDIT,
    }

    def get_queryset(self) -> QuerySet[AlertRule]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.rules_for(caller_of(self.request).workspace)

    def get_object(self) -> AlertRule:
        return selectors.get_rule(caller_of(self.request).workspace, self.kwargs["uid"])

    @extend_schema(summary="Make a rule", request=shapes.RuleIn, responses={201: shapes.RuleOut})
    def create(self, request: Request, version: str | None = None) -> Response:
        """With ``is_active`` false it can be tried on the stored history first."""
        given = _read(shapes.RuleIn, request)
        caller = caller_of(request)
        monitor = selectors.get_monitor(caller.workspace, given.pop("monitor"))
        rule = rules.create(caller=caller, monitor=monitor, **given)
        return Response(shapes.RuleOut(rule).data, status=201)

    @extend_schema(
        summary="Try a rule on the history",
        request=shapes.BacktestIn,
        responses={200: shapes.BacktestOut},
    )
    @action(detail=True, methods=["post"])
    def backtest(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """What it would have said of the stored windows, perhaps with other numbers in it."""
        given = _read(shapes.BacktestIn, request)
        return Response(shapes.BacktestOut(rules.backtest(self.get_object(), **given)).data)

    @extend_schema(summary="Mute a rule", request=shapes.MuteIn, responses=shapes.RuleOut)
    @action(detail=True, methods=["post"])
    def mute(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """Until then it opens no alert; null ends that."""
        given = _read(shapes.MuteIn, request)
        rule = rules.mute(caller=caller_of(request), rule=self.get_object(), **given)
        return Response(shapes.RuleOut(rule).data)

    @extend_schema(summary="Switch a rule on", request=None, responses=shapes.RuleOut)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """It looks at windows that are evaluated from now on."""
        rule = rules.switch(caller=caller_of(request), rule=self.get_object(), is_active=True)
        return Response(shapes.RuleOut(rule).data)

    @extend_schema(summary="Switch a rule off", request=None, responses=shapes.RuleOut)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """It opens no more alerts; those that are open stay open."""
        rule = rules.switch(caller=caller_of(request), rule=self.get_object(), is_active=False)
        return Response(shapes.RuleOut(rule).data)


@extend_schema_view(
    list=extend_schema(summary="Alerts, the newest first"),
    retrieve=extend_schema(summary="One alert"),
)
class AlertViewSet(viewsets.ReadOnlyModelViewSet[Alert]):
    """A rule crossed in a window: opened once, told once."""

    queryset = Alert.objects.none()
    serializer_class = shapes.AlertOut
    filterset_class = AlertFilter
    lookup_field = "uid"
    lookup_value_converter = "uuid"
    capabilities: ClassVar = {
        "list": Capability.VIEW,
        "retrieve": Capability.VIEW,
        "acknowledge": Capability.ALERT_HANDLE,
        "resolve": Capability.ALERT_HANDLE,
    }

    def get_queryset(self) -> QuerySet[Alert]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.alerts_for(caller_of(self.request).workspace)

    def get_object(self) -> Alert:
        return selectors.get_alert(caller_of(self.request).workspace, self.kwargs["uid"])

    @extend_schema(summary="Take an alert on", request=shapes.NoteIn, responses=shapes.AlertOut)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """A person looks into it."""
        given = _read(shapes.NoteIn, request)
        alerts.acknowledge(caller=caller_of(request), alert=self.get_object(), **given)
        return Response(shapes.AlertOut(self.get_object()).data)

    @extend_schema(summary="Resolve an alert", request=shapes.NoteIn, responses=shapes.AlertOut)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """It is over; its rule may open the next one."""
        given = _read(shapes.NoteIn, request)
        alerts.resolve(caller=caller_of(request), alert=self.get_object(), **given)
        return Response(shapes.AlertOut(self.get_object()).data)


class ReportViewSet(viewsets.GenericViewSet[Report]):
    """Evidently's report of a window, rendered on a queue of its own; seen in the browser."""

    queryset = Report.objects.none()
    serializer_class = shapes.ReportOut
    filter_backends = []
    lookup_field = "uid"
    lookup_value_converter = "uuid"
    capabilities: ClassVar = {"create": Capability.MONITOR_EDIT, "retrieve": Capability.VIEW}

    @extend_schema(
        summary="Ask for a report",
        request=shapes.ReportIn,
        responses={202: shapes.ReportOut, 200: shapes.ReportOut},
    )
    def create(self, request: Request, version: str | None = None) -> Response:
        """One a window and revision; 200 when it was asked for before."""
        given = _read(shapes.ReportIn, request)
        caller = caller_of(request)
        monitor = selectors.get_monitor(caller.workspace, given["monitor"])
        at = _moment(given["window"])
        window = selectors.get_window(monitor, calendar.start_of(at, monitor.window_kind))
        asked, was_there = reports.ask(caller=caller, window=window)
        report = selectors.get_report(caller.workspace, asked.uid)
        return Response(shapes.ReportOut(report).data, status=200 if was_there else 202)

    @extend_schema(summary="One report", responses=shapes.ReportOut)
    def retrieve(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """Poll it until ``state`` is no longer ``waiting``."""
        report = selectors.get_report(caller_of(request).workspace, uid)
        return Response(shapes.ReportOut(report).data)


def _read(shape: Any, request: Request) -> dict[str, Any]:
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        reason = "A date or a time in ISO 8601."
        raise Invalid(reason, fields={"window": [reason]}) from None
