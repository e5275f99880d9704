"""Rules over a monitor's windows, and the alerts they open."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7
from monitoring.rules import SCORES, Condition

MAX_NOTE = 1000


class AlertRule(models.Model):
    """When to tell somebody: an effect, in k of the last n windows.

    A *drift* rule crosses in a window when some column's PSI exceeds ``threshold`` and the column
    is significant after Benjamini–Hochberg; a *performance* rule when realised ``metric`` is at or
    beyond ``threshold`` (below for scores, above for losses). See ``monitoring/rules.py``.
    """

    class Kind(models.TextChoices):
        DRIFT = "drift", "Drift"
        PERFORMANCE = "performance", "Performance"

    class Metric(models.TextChoices):
        PSI = "psi", "PSI"
        AUC = "auc", "AUC"
        ACCURACY = "accuracy", "Accuracy"
        LOG_LOSS = "log_loss", "Log loss"
        BRIER = "brier", "Brier score"

    class Severity(models.TextChoices):
        LOW = "low", "Low"
        MEDIUM = "medium", "Medium"
        HIGH = "high", "High"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    monitor = models.ForeignKey("monitoring.Monitor", models.CASCADE, related_name="rules")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind)
    metric = models.CharField(max_length=32, choices=Metric, default=Metric.PSI)
    threshold = models.FloatField(default=0.1)
    k = models.PositiveSmallIntegerField(default=2)
    n = models.PositiveSmallIntegerField(default=3)
    min_rows = models.PositiveIntegerField(default=200)
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.HIGH)
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
            models.CheckConstraint(
                condition=Q(kind="drift", metric="psi")
                | Q(kind="performance", metric__in=["auc", "accuracy", "log_loss", "brier"]),
                name="alert_rule_metric_is_of_its_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def condition(self) -> Condition:
        """What it looks for, as the pure rules know it."""
        return Condition(
            kind=self.kind,
            metric=self.metric,
            threshold=self.threshold,
            k=self.k,
            n=self.n,
            min_rows=self.min_rows,
        )

    @property
    def sentence(self) -> str:
        """The rule as a person says it."""
        within = f" in {self.k} of {self.n} windows" if self.n > 1 else " in one window"
        if self.kind == self.Kind.DRIFT:
            return f"PSI > {self.threshold:g} and significant (BH 5 %){within}"
        sign = "≤" if self.metric in SCORES else "≥"
        return f"{self.get_metric_display()} {sign} {self.threshold:g}{within}"


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
    cause = models.CharField(max_length=1000, help_text="what was found, generated from results")
    what_to_do = models.CharField(max_length=1000, blank=True)
    facts = models.JSONField(default=dict)
    opened_at = models.DateTimeField(db_default=Now())
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=MAX_NOTE, blank=True)

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
            models.CheckConstraint(
                condition=Q(state="open", acknowledged_at=None, resolved_at=None)
                | Q(state="acknowledged", acknowledged_at__isnull=False, resolved_at=None)
                | Q(state="resolved", resolved_at__isnull=False),
                name="alert_state_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"A-{self.number}"

    @property
    def severity(self) -> str:
        return self.rule.severity

    @property
    def title(self) -> str:
        """For a subject line or a finding."""
        return f"{self}: {self.rule.name} on {self.monitor.name}"

    @property
    def message(self) -> str:
        """Cause, and what to do now."""
        return f"{self.cause} {self.what_to_do}".strip()
