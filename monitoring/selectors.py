"""Reads of monitors, windows and what came of them; always within one workspace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Length

from common.errors import NotFound
from monitoring.errors import MonitorNotFound
from monitoring.models import (
    Alert,
    AlertRule,
    ColumnProfile,
    DriftResult,
    Ingest,
    Monitor,
    PerformanceResult,
    ReferenceColumn,
    Report,
    Window,
)
from monitoring.profiles.codec import Profile, Spec, unpack_profile, unpack_spec
from monitoring.rules import ColumnFact, WindowFact
from registry.models import ModelVersion

if TYPE_CHECKING:
    from accounts.models import Workspace

#: Windows that a page shows, and a rule or a back-test looks back at, whatever the history.
SHOWN_WINDOWS = 24
MOST_WINDOWS = 400
UNRESOLVED = (Alert.State.OPEN, Alert.State.ACKNOWLEDGED)


def monitors_for(workspace: Workspace) -> QuerySet[Monitor]:
    """By name, each with what it watches and how many alerts are unresolved."""
    newest = Window.objects.filter(monitor=OuterRef("pk"), rows__gt=0).order_by("-start")
    return (
        Monitor.objects.filter(workspace=workspace)
        .select_related("model__owner", "environment", "version", "reference", "workspace")
        .annotate(
            alerts_open=Count("alerts", filter=Q(alerts__state__in=UNRESOLVED)),
            last_start=Subquery(newest.values("start")[:1]),
            last_rows=Subquery(newest.values("rows")[:1]),
        )
        .order_by("name")
    )


def get_monitor(workspace: Workspace, uid: UUID | str) -> Monitor:
    """Raises: MonitorNotFound."""
    found = monitors_for(workspace).filter(uid=uid).first()
    if found is None:
        raise MonitorNotFound("There is no such monitor here.")
    return found


def watchable_versions(workspace: Workspace) -> QuerySet[ModelVersion]:
    """Versions that a new monitor can watch, the newest first."""
    return (
        ModelVersion.objects.filter(
            model__workspace=workspace, model__retired_at=None, deleted_at=None
        )
        .select_related("model__workspace", "model__owner")
        .order_by("-pk")
    )


def windows(monitor: Monitor, limit: int = SHOWN_WINDOWS) -> list[Window]:
    """The newest windows with rows, the oldest first."""
    newest = monitor.windows.filter(rows__gt=0).order_by("-start")[:limit]
    return list(reversed(newest))


def drift_by_window(found: Sequence[Window]) -> dict[int, list[DriftResult]]:
    """The latest revision's results by the window's key, columns in order. One query."""
    results: dict[int, list[DriftResult]] = defaultdict(list)
    rows = (
        DriftResult.objects.filter(window__in=found, revision=F("window__revision"))
        .select_related("column")
        .defer("column__spec", "column__counts", "column__calibration", "column__facts")
        .order_by("column__position")
    )
    for row in rows:
        results[row.window_id].append(row)
    return results


def performance_by_window(found: Sequence[Window]) -> dict[int, PerformanceResult]:
    """The latest revision's performance by the window's key. One query."""
    rows = PerformanceResult.objects.filter(window__in=found, revision=F("window__revision"))
    return {row.window_id: row for row in rows}


def window_facts(monitor: Monitor, limit: int = MOST_WINDOWS) -> list[WindowFact]:
    """What rules look at, the oldest window first. Three queries."""
    found = windows(monitor, limit)
    drift, performance = drift_by_window(found), performance_by_window(found)
    return [
        WindowFact(
            key=window.pk,
            start=window.start,
            rows=window.rows,
            labelled=window.labelled,
            drift=tuple(
                ColumnFact(row.column.name, row.psi, row.is_significant)
                for row in drift.get(window.pk, [])
            ),
            realised=(
                {
                    name: float(triple["value"])
                    for name, triple in performance[window.pk].realised.items()
                }
                if window.pk in performance
                else {}
            ),
        )
        for window in found
    ]


def reference_columns(monitor: Monitor) -> list[tuple[ReferenceColumn, Spec, Profile]]:
    """Every watched column with its frozen spec and the reference's own profile."""
    found = []
    for column in monitor.reference_columns.all():
        spec = unpack_spec(column.kind, column.spec)
        found.append((column, spec, unpack_profile(spec, column.counts, column.facts)))
    return found


def column_profile(window: Window, column: ReferenceColumn, spec: Spec) -> Profile | None:
    """What was counted of one column in one window."""
    row = ColumnProfile.objects.filter(window=window, column=column).first()
    return None if row is None else unpack_profile(spec, row.counts, row.facts)


def get_window(monitor: Monitor, start: datetime) -> Window:
    """The window that begins then. Raises: NotFound."""
    found = monitor.windows.filter(start=start).first()
    if found is None:
        raise NotFound("There is no window that begins then.", code="window_not_found")
    return found


def rules_for(workspace: Workspace) -> QuerySet[AlertRule]:
    return AlertRule.objects.filter(monitor__workspace=workspace).select_related("monitor")


def get_rule(workspace: Workspace, uid: UUID | str) -> AlertRule:
    """Raises: NotFound."""
    found = rules_for(workspace).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such alert rule here.", code="alert_rule_not_found")
    return found


def alerts_for(workspace: Workspace) -> QuerySet[Alert]:
    """The newest first, with all that a line about one needs."""
    return (
        Alert.objects.filter(workspace=workspace)
        .select_related(
            "monitor__model__owner",
            "monitor__environment",
            "monitor__version",
            "rule",
            "window",
            "acknowledged_by",
            "workspace",
        )
        .order_by("-pk")
    )


def unresolved_alerts(workspace: Workspace) -> QuerySet[Alert]:
    """Open or acknowledged: what the top bar counts."""
    return alerts_for(workspace).filter(state__in=UNRESOLVED)


def get_alert(workspace: Workspace, uid: UUID | str) -> Alert:
    """Raises: NotFound."""
    found = alerts_for(workspace).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such alert here.", code="alert_not_found")
    return found


def ingests_for(monitor: Monitor) -> QuerySet[Ingest]:
    return monitor.ingests.select_related("job").order_by("-pk")


def get_report(workspace: Workspace, uid: UUID | str) -> Report:
    """Raises: NotFound."""
    found = (
        Report.objects.filter(window__monitor__workspace=workspace, uid=uid)
        .select_related("window__monitor__environment", "window__monitor__model", "job")
        .defer("snapshot", "html")
        .annotate(snapshot_bytes=Length("snapshot"), html_bytes=Length("html"))
        .first()
    )
    if found is None:
        raise NotFound("There is no such report here.", code="report_not_found")
    return found
