"""Who may do what with monitors, rules, alerts and reports."""

from __future__ import annotations

from typing import Any

from accounts.roles import Capability
from tests.factories import monitoring as make
from tests.permissions import Row

VIEW, EDIT = Capability.VIEW, Capability.MONITOR_EDIT
WRITE, HANDLE = Capability.PREDICTIONS_WRITE, Capability.ALERT_HANDLE


def a_monitor(workspace: Any) -> dict[str, Any]:
    return {"uid": make.monitor(workspace).uid}


def an_ingest(workspace: Any) -> dict[str, Any]:
    monitor = make.monitor(workspace)
    return {"uid": monitor.uid, "ingest": make.send(monitor, make.rows(20)).uid}


def a_rule(workspace: Any) -> dict[str, Any]:
    return {"uid": make.monitor(workspace).rules.get().uid}


def an_alert(workspace: Any) -> dict[str, Any]:
    return {"uid": make.alert(workspace).uid}


def a_report(workspace: Any) -> dict[str, Any]:
    return {"uid": make.report(workspace).uid}


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
