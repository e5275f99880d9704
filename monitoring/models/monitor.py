"""A monitor, its frozen reference, and its windows with what was counted in them."""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.ids import uuid7


def _key() -> bytes:
    return secrets.token_bytes(32)


class Monitor(models.Model):
    """Watches one model in one environment: windows of the prediction log against a reference.

    ``columns`` is ``[{"name", "kind": "numeric"|"categorical", "policy": "keep"|"count"}]`` and
    frozen with the reference; ``count`` columns (free text, nearly unique) get counts only.
    """

    class WindowKind(models.TextChoices):
        DAY = "day", "Day"
        WEEK = "week", "Week"
        MONTH = "month", "Month"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="monitors")
    name = models.CharField(max_length=255)
    model = models.ForeignKey("registry.RegisteredModel", models.PROTECT, related_name="monitors")
    environment = models.ForeignKey("registry.Environment", models.PROTECT, related_name="+")
    version = models.ForeignKey(
        "registry.ModelVersion",
        models.PROTECT,
        related_name="+",
        help_text="the version whose scores the reference holds",
    )
    reference = models.ForeignKey("registry.Dataset", models.PROTECT, related_name="+")
    window_kind = models.CharField(max_length=8, choices=WindowKind, default=WindowKind.DAY)
    id_column = models.CharField(max_length=255)
    time_column = models.CharField(max_length=255)
    score_column = models.CharField(max_length=255)
    label_column = models.CharField(max_length=255, blank=True)
    decision_threshold = models.FloatField(default=0.5)
    columns = models.JSONField(default=list)
    id_key = models.BinaryField(default=_key, help_text="row ids are kept only as HMAC under this")
    created_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    paused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="monitor_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class ReferenceColumn(models.Model):
    """One column's frozen spec and the reference's own profile on it.

    ``spec`` and ``counts`` are compressed; see ``monitoring/profiles/codec.py``. The score's row
    also holds the calibration table by which performance is estimated without labels.
    """

    monitor = models.ForeignKey(Monitor, models.CASCADE, related_name="reference_columns")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=16)
    spec = models.BinaryField()
    counts = models.BinaryField()
    facts = models.JSONField(default=dict)
    calibration = models.JSONField(default=dict)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["monitor", "name"], name="reference_column_once")
        ]

    def __str__(self) -> str:
        return self.name


class Window(models.Model):
    """A stretch of time; every late row or label makes a new revision of its results."""

    monitor = models.ForeignKey(Monitor, models.CASCADE, related_name="windows")
    start = models.DateTimeField()
    end = models.DateTimeField()
    revision = models.PositiveIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    labelled = models.BigIntegerField(default=0)
    is_dirty = models.BooleanField(default=True, help_text="counted again since last evaluated")
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["start"]
        constraints = [
            models.UniqueConstraint(fields=["monitor", "start"], name="window_once"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="window_ends_after_start"),
            models.CheckConstraint(
                condition=Q(labelled__lte=F("rows")), name="window_labels_have_rows"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.monitor} {self.start:%Y-%m-%d}"


class ColumnProfile(models.Model):
    """What was counted of one column in one window; adding more rows adds to it."""

    window = models.ForeignKey(Window, models.CASCADE, related_name="profiles")
    column = models.ForeignKey(ReferenceColumn, models.CASCADE, related_name="+")
    counts = models.BinaryField()
    facts = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["window", "column"], name="column_profile_once")
        ]

    def __str__(self) -> str:
        return f"{self.column} in {self.window}"


class ScoredKey(models.Model):
    """A scored row without the row: a keyed hash of its id, its score and, later, its label."""

    monitor = models.ForeignKey(Monitor, models.CASCADE, related_name="+")
    key = models.BinaryField(max_length=16)
    window = models.ForeignKey(Window, models.CASCADE, related_name="+")
    score = models.FloatField()
    label = models.FloatField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["monitor", "key"], name="scored_key_once")]
        indexes = [models.Index(fields=["window"], name="scored_key_window")]

    def __str__(self) -> str:
        return f"scored row {self.pk}"


class Ingest(models.Model):
    """One upload of predictions or labels; the same bytes count once."""

    class What(models.TextChoices):
        PREDICTIONS = "predictions", "Predictions"
        LABELS = "labels", "Labels"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    monitor = models.ForeignKey(Monitor, models.CASCADE, related_name="ingests")
    what = models.CharField(max_length=16, choices=What)
    digest = models.CharField(max_length=71)
    idempotency_key = models.CharField(max_length=100, blank=True)
    format = models.CharField(max_length=16)
    storage_name = models.CharField(max_length=200, blank=True, help_text="empty once profiled")
    rows = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    job = models.ForeignKey("jobs.Job", models.PROTECT, null=True, blank=True, related_name="+")
    created_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["monitor", "what", "digest"], name="ingest_same_bytes_once"
            ),
            models.UniqueConstraint(
                fields=["monitor", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="ingest_key_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.uid}"
