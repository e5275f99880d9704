"""Rules over a monitor's windows, and the alerts they open."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class AlertRule(models.Model):
    """When to tell somebody: an effect, in k of the last n windows.

    A *drift* rule crosses in a window when some column's PSI exceeds ``threshold`` and the column is
    significant after Benjamini–Hochberg; a *performance* rule when realised ``metric`` is at or
    beyond ``threshold`` (below for scores, above for losses).
    """

    class Kind(models.TextChoices):
        DRIFT = "drift", "Drift"
        PERFORMANCE = "performance", "Performance"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    monitor = models.ForeignKey("monitoring.Monitor", models.CASCADE, related_name="rules")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind)
    metric = models.CharField(max_length=32, default="psi")
    threshold = models.FloatField(default=0.1)
    k = models.PositiveSmallIntegerField(default=2)
    n = models.PositiveSmallIntegerField(default=3)
    min_rows = models.PositiveIntegerField(default=200)
    severity = models.CharField(max_length=8, default="high")
    is_active = models.BooleanField(default=True)
    muted_until = models.DateTimeField(null=True, blank=True)
    created_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["monitor", "name"], name="alert_rule_name_once"),
            models.CheckConstraint(
                condition=Q(k__gte=1, n__gte=models.F("k"), n__lte=30), name="alert_rule_k_of_n"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """A rule's threshold was crossed in a window; opened once, told once."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        RESOLVED = "resolved", "Resolved"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    number = models.PositiveIntegerField(help_text="A-number within the workspace")
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="alerts")
    monitor = models.ForeignKey("monitoring.Monitor", models.CASCADE, related_name="alerts")
    rule = models.ForeignKey(AlertRule, models.CASCADE, related_name="alerts")
    window = models.ForeignKey("monitoring.Window", models.CASCADE, related_name="alerts")
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    cause = models.CharField(max_length=1000)
    facts = models.JSONField(default=dict)
    opened_at = models.DateTimeField(db_default=Now())
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "window"], name="alert_once_per_window"),
            models.UniqueConstraint(
                fields=["rule"],
                condition=Q(state__in=["open", "acknowledged"]),
                name="alert_one_unresolved_per_rule",
            ),
            models.UniqueConstraint(fields=["workspace", "number"], name="alert_number_once"),
        ]

    def __str__(self) -> str:
        return f"A-{self.number}"
