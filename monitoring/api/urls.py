"""API routes of monitoring."""

from django.urls import path

from monitoring.api.alerts import AlertViewSet, ReportViewSet, RuleViewSet
from monitoring.api.monitors import MonitorViewSet
from monitoring.api.parsers import ROW_PARSERS

_monitor, _rule, _alert = "monitors/<uuid:uid>", "alert-rules/<uuid:uid>", "alerts/<uuid:uid>"

urlpatterns = [
    path(
        "monitors",
        MonitorViewSet.as_view({"get": "list", "post": "create"}),
        name="monitor-list",
    ),
    path(_monitor, MonitorViewSet.as_view({"get": "retrieve"}), name="monitor-detail"),
    path(
        f"{_monitor}/predictions",
        MonitorViewSet.as_view(
            {"post": "predictions"},
            parser_classes=ROW_PARSERS,
        ),
        name="monitor-predictions",
    ),
    path(
        f"{_monitor}/labels",
        MonitorViewSet.as_view({"post": "labels"}, parser_classes=ROW_PARSERS),
        name="monitor-labels",
    ),
    path(f"{_monitor}/drift", MonitorViewSet.as_view({"get": "drift"}), name="monitor-drift"),
    path(f"{_monitor}/ingests", MonitorViewSet.as_view({"get": "ingests"}), name="ingest-list"),
    path(
        f"{_monitor}/ingests/<uuid:ingest>",
        MonitorViewSet.as_view({"get": "ingest"}),
        name="ingest-detail",
    ),
    path("alert-rules", RuleViewSet.as_view({"get": "list", "post": "create"}), name="rule-list"),
    path(_rule, RuleViewSet.as_view({"get": "retrieve"}), name="rule-detail"),
    path(f"{_rule}/backtest", RuleViewSet.as_view({"post": "backtest"}), name="rule-backtest"),
    path(f"{_rule}/mute", RuleViewSet.as_view({"post": "mute"}), name="rule-mute"),
    path(f"{_rule}/activate", RuleViewSet.as_view({"post": "activate"}), name="rule-activate"),
    path(
        f"{_rule}/deactivate",
        RuleViewSet.as_view({"post": "deactivate"}),
        name="rule-deactivate",
    ),
    path("alerts", AlertViewSet.as_view({"get": "list"}), name="alert-list"),
    path(_alert, AlertViewSet.as_view({"get": "retrieve"}), name="alert-detail"),
    path(
        f"{_alert}/acknowledge",
        AlertViewSet.as_view({"post": "acknowledge"}),
        name="alert-acknowledge",
    ),
    path(f"{_alert}/resolve", AlertViewSet.as_view({"post": "resolve"}), name="alert-resolve"),
    path("reports", ReportViewSet.as_view({"post": "create"}), name="report-list"),
    path("reports/<uuid:uid>", ReportViewSet.as_view({"get": "retrieve"}), name="report-detail"),
]
