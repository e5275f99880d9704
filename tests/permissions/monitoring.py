"""Who may do what with monitors, rules, alerts and reports."""

from __future__ import annotations

from typing import Any

from accounts.roles import Capability
from tests.factories import monitoring as make
from tests.permissions import Row

VIEW, EDIT = Capability.VIEW, Capability.MONITOR_EDIT
WRITE, HANDLE = Capability.PREDICTIONS_WRITE, Capability.ALERT_HANDLE


def a_monitor(workspace: Any) -> dict[str, Any]:
    return {"uid": make.bare_monitor(workspace).uid}


def an_ingest(workspace: Any) -> dict[str, Any]:
    monitor = make.bare_monitor(workspace)
    return {"uid": monitor.uid, "ingest": make.bare_ingest(monitor).uid}


def a_rule(workspace: Any) -> dict[str, Any]:
    return {"uid": make.bare_monitor(workspace).rules.get().uid}


def an_alert(workspace: Any) -> dict[str, Any]:
    return {"uid": make.bare_alert(workspace).uid}


def a_report(workspace: Any) -> dict[str, Any]:
    return {"uid": make.bare_report(workspace).uid}


def a_window(workspace: Any) -> dict[str, Any]:
    monitor = make.bare_monitor(workspace)
    make.bare_window(monitor)
    return {"uid": monitor.uid}


def a_ready_report(workspace: Any) -> dict[str, Any]:
    return {"uid": make.bare_report(workspace, html=b"<p>Report</p>").uid}


ROWS = [
    Row("v1:monitor-list", {"get": VIEW, "post": EDIT}),
    Row("v1:monitor-detail", {"get": VIEW}, a_monitor),
    Row("v1:monitor-predictions", {"post": WRITE}, a_monitor),
    Row("v1:monitor-labels", {"post": WRITE}, a_monitor),
    Row("v1:monitor-drift", {"get": VIEW}, a_monitor),
    Row("v1:ingest-list", {"get": VIEW}, a_monitor),
    Row("v1:ingest-detail", {"get": VIEW}, an_ingest),
    Row("v1:rule-list", {"get": VIEW, "post": EDIT}),
    Row("v1:rule-detail", {"get": VIEW}, a_rule),
    Row("v1:rule-backtest", {"post": VIEW}, a_rule),
    Row("v1:rule-mute", {"post": HANDLE}, a_rule),
    Row("v1:rule-activate", {"post": EDIT}, a_rule),
    Row("v1:rule-deactivate", {"post": EDIT}, a_rule),
    Row("v1:alert-list", {"get": VIEW}),
    Row("v1:alert-detail", {"get": VIEW}, an_alert),
    Row("v1:alert-acknowledge", {"post": HANDLE}, an_alert),
    Row("v1:alert-resolve", {"post": HANDLE}, an_alert),
    Row("v1:report-list", {"post": EDIT}),
    Row("v1:report-detail", {"get": VIEW}, a_report),
]
ROWS += [
    Row("monitoring:monitor-list", {"get": VIEW}),
    Row("monitoring:monitor-create", {"get": EDIT, "post": EDIT}),
    Row("monitoring:monitor-detail", {"get": VIEW}, a_monitor),
    Row("monitoring:alert-list", {"get": VIEW}),
    Row("monitoring:alert-detail", {"get": VIEW}, an_alert),
    Row("monitoring:alert-handle", {"post": HANDLE}, an_alert),
    Row("monitoring:rule-detail", {"get": VIEW}, a_rule),
    Row("monitoring:rule-switch", {"post": EDIT}, a_rule),
    Row("monitoring:rule-create", {"get": EDIT, "post": EDIT}, a_monitor),
    Row("monitoring:report-ask", {"post": VIEW}, a_window, data={"window": "2013-04-01"}),
    Row("monitoring:report-detail", {"get": VIEW}, a_report),
    Row("monitoring:report-frame", {"get": VIEW}, a_ready_report),
]
