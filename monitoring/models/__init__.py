from monitoring.models.alert import Alert, AlertRule
from monitoring.models.monitor import (
    ColumnProfile,
    Ingest,
    Monitor,
    ReferenceColumn,
    ScoredKey,
    Window,
)
from monitoring.models.result import DriftResult, PerformanceResult, Report

__all__ = [
    "Alert",
    "AlertRule",
    "ColumnProfile",
    "DriftResult",
    "Ingest",
    "Monitor",
    "PerformanceResult",
    "ReferenceColumn",
    "Report",
    "ScoredKey",
    "Window",
]
