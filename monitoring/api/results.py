"""Windows with their results, as the API answers them."""

from __future__ import annotations

from typing import Any

from common.errors import Invalid
from monitoring import selectors
from monitoring.api.serializers import DriftOut
from monitoring.models import DriftResult, Monitor, PerformanceResult
from monitoring.services.rules import DEFAULT_PSI


def drift_of(
    monitor: Monitor, *, column: str = "", limit: int = selectors.SHOWN_WINDOWS, **between: Any
) -> Any:
    """The body of ``drift``; at most ``limit`` windows are read, whatever the history."""
    if column and column not in {item["name"] for item in monitor.columns}:
        reason = "The monitor watches no such column."
        raise Invalid(reason, fields={"column": [reason]})
    found = monitor.windows.filter(rows__gt=0)
    if start := between.get("from"):
        found = found.filter(start__gte=start)
    if end := between.get("to"):
        found = found.filter(start__lt=end)
    windows = list(reversed(found.order_by("-start")[:limit]))
    drift = selectors.drift_by_window(windows)
    performance = selectors.performance_by_window(windows)
    body = {
        "monitor": monitor.uid,
        "windows": [
            {
                "start": window.start,
                "end": window.end,
                "revision": window.revision,
                "rows": window.rows,
                "labelled": window.labelled,
                "columns": [
                    _column(row)
                    for row in drift.get(window.pk, [])
                    if not column or row.column.name == column
                ],
                "performance": _performance(performance.get(window.pk)),
            }
            for window in windows
        ],
    }
    return DriftOut(body).data


def _column(row: DriftResult) -> dict[str, Any]:
    return {
        "column": row.column.name,
        "psi": {"value": row.psi, "lower95": row.psi_lower, "upper95": row.psi_upper},
        "js": row.js,
        "ks": row.ks,
        "wasserstein": row.wasserstein,
        "p_value": row.p_value,
        "significant": row.is_significant,
        "drifted": row.is_significant and row.psi > DEFAULT_PSI,
    }


def _performance(row: PerformanceResult | None) -> dict[str, Any] | None:
    if row is None:
        return None
    estimated = row.estimated.get("base_rate")
    return {
        "realised": {name: row.realised[name] for name in row.realised if name != "base_rate"},
        "estimated": {name: row.estimated[name] for name in row.estimated if name != "base_rate"},
        "base_rate": row.base_rate,
        "estimated_base_rate": estimated["value"] if estimated else None,
    }
