"""Movable names with full history: one open row per name, ended rows say what was live when."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class Alias(models.Model):
    """This name stood on this version from ``started_at`` until ``ended_at`` (open when null).

    Rows are never changed but to be ended, so as-of queries read them as they are. ``reference``
    says what moved it: ``promotion:<uid>``, ``rollback:<uid>`` or empty for an unprotected move.
    """

    model = models.ForeignKey("registry.RegisteredModel", models.PROTECT, related_name="aliases")
    name = models.CharField(max_length=255)
    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="aliases")
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)
    moved_by_pid = models.CharField(max_length=64)
    reference = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name", "-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "name"], condition=Q(ended_at=None), name="alias_one_open"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("started_at")),
                name="alias_ends_after_it_starts",
            ),
        ]
        indexes = [
            models.Index(fields=["model", "name", "started_at"], name="alias_as_of"),
            models.Index(fields=["name", "model"], condition=Q(ended_at=None), name="alias_open"),
        ]

    def __str__(self) -> str:
        return f"@{self.name}"
