"""Findings: what must be dealt with, by somebody, by a date."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class Finding(models.Model):
    """Something that must be dealt with by a date, by somebody."""

    class Severity(models.TextChoices):
        HIGH = "high", "High"
        MEDIUM = "medium", "Medium"
        LOW = "low", "Low"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    class Source(models.TextChoices):
        PERSON = "person", "A person"
        ALERT = "alert", "An alert"
        ROLLOUT = "rollout", "A rollout"
        RECEIPT = "receipt", "A batch receipt"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="findings")
    number = models.PositiveIntegerField()
    severity = models.CharField(max_length=8, choices=Severity)
    title = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    due_on = models.DateField(null=True, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    resolution = models.TextField(blank=True)
    source = models.CharField(max_length=8, choices=Source, default=Source.PERSON)
    reference = models.CharField(
        max_length=200, blank=True, help_text="what it came from, e.g. alert:<uid>"
    )
    model = models.ForeignKey(
        "registry.RegisteredModel", models.PROTECT, null=True, blank=True, related_name="findings"
    )
    version = models.ForeignKey(
        "registry.ModelVersion", models.PROTECT, null=True, blank=True, related_name="findings"
    )
    promotion = models.ForeignKey(
        "governance.PromotionRequest",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="findings",
    )
    opened_by_pid = models.CharField(max_length=64)
    opened_by_label = models.CharField(max_length=200, blank=True)
    opened_at = models.DateTimeField(db_default=Now())
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="finding_number_once"),
            models.UniqueConstraint(
                fields=["workspace", "source", "reference"],
                condition=~Q(reference=""),
                name="finding_once_per_reference",
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at__isnull=True, resolution="")
                | (Q(state="closed", closed_at__isnull=False) & ~Q(resolution="")),
                name="finding_closing_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(severity__in=["high", "medium", "low"]),
                name="finding_severity_is_known",
            ),
        ]
        indexes = [models.Index(fields=["workspace", "state", "due_on"], name="finding_queue")]

    def __str__(self) -> str:
        return f"F-{self.number}"
