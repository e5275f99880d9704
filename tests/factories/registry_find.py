"""Rows that the inventory shows of other apps, as those apps would have left them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from monitoring.models import Alert, AlertRule, Monitor, Window
from registry.models import Environment, ModelVersion
from tests.factories.registry import DatasetFactory

_numbers = iter(range(1, 1_000_000))


def monitor(version: ModelVersion, **fields: Any) -> Monitor:
    """A monitor of the version's model in production, which has counted nothing yet."""
    return Monitor.objects.create(
        workspace=version.workspace,
        name=f"monitor-{next(_numbers)}",
        model=version.model,
        version=version,
        environment=Environment.objects.get(workspace=version.workspace, name="production"),
        reference=DatasetFactory(workspace=version.workspace),
        id_column="id",
        time_column="at",
        score_column="score",
        created_by_pid="system:test",
        **fields,
    )


def window(of: Monitor, rows: int = 10) -> Window:
    """A day of it."""
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=next(_numbers))
    return Window.objects.create(monitor=of, start=start, end=start + timedelta(days=1), rows=rows)


def alert(of: Monitor) -> Alert:
    """An open alert."""
    number = next(_numbers)
    rule = AlertRule.objects.create(
        monitor=of, name=f"rule-{number}", kind="drift", metric="psi", created_by_pid="system:test"
    )
    return Alert.objects.create(
        workspace=of.workspace,
        number=number,
        monitor=of,
        rule=rule,
        window=window(of),
        cause="It drifted.",
    )
