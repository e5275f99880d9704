"""What came of a window: drift per column, performance, and Evidently's report on demand."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from common.ids import uuid7


class DriftResult(models.Model):
    """How far one column has moved in one revision of a window."""

    window = models.ForeignKey("monitoring.Window", models.CASCADE, related_name="drift")
    column = models.ForeignKey("monitoring.ReferenceColumn", models.CASCADE, related_name="+")
    revision = models.PositiveIntegerField()
    psi = models.FloatField()
    psi_lower = models.FloatField()
    psi_upper = models.FloatField()
    js = models.FloatField()
    ks = models.FloatField(null=True)
    wasserstein = models.FloatField(null=True, help_text="in the column's unit")
    p_value = models.FloatField()
    is_significant = models.BooleanField(help_text="after Benjamini–Hochberg over the columns")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["window", "column", "revision"], name="drift_result_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.column}: PSI {self.psi:.3f}"


class PerformanceResult(models.Model):
    """Realised and estimated performance of one revision of a window.

    ``realised`` and ``estimated`` are ``{"auc": {"value", "lower95", "upper95"}, …}``; realised is
    empty until labels arrive.
    """

    window = models.ForeignKey("monitoring.Window", models.CASCADE, related_name="performance")
    revision = models.PositiveIntegerField()
    labelled = models.BigIntegerField()
    realised = models.JSONField(default=dict)
    estimated = models.JSONField(default=dict)
    base_rate = models.FloatField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["window", "revision"], name="performance_result_once")
        ]

    def __str__(self) -> str:
        return f"performance in {self.window}"


class Report(models.Model):
    """Evidently's report of one revision of a window, rendered on its own queue."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        READY = "ready", "Ready"
        FAILED = "failed", "Could not be rendered"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    window = models.ForeignKey("monitoring.Window", models.CASCADE, related_name="reports")
    revision = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    snapshot = models.BinaryField(null=True, help_text="gzipped Snapshot.dumps()")
    html = models.BinaryField(null=True, help_text="gzipped page, shown in a sandboxed frame")
    error = models.CharField(max_length=500, blank=True)
    job = models.ForeignKey("jobs.Job", models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["window", "revision"], name="report_once")]

    def __str__(self) -> str:
        return f"report of {self.window}"
