"""Tables that evidence is computed from, known by digest."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from common.ids import uuid7


class Dataset(models.Model):
    """An uploaded Parquet or CSV table, stored as uploaded and as Parquet, with a profile.

    Both files are stored under their own digest. A table too big to profile while somebody waits
    stays ``profiling`` until a job has read it. Once ``ready`` nothing of it changes (a trigger
    holds that). ``columns`` is ``[{"name", "type": "number"|"integer"|"boolean"|"text"|"time",
    "nulls", "distinct", "min", "max", "mean", "std", "top": [[value, count], …], …}]``; see
    ``registry/profiling/columns.py``.
    """

    class State(models.TextChoices):
        PROFILING = "profiling", "Being profiled"
        READY = "ready", "Ready"
        FAILED = "failed", "Could not be read"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    digest = models.CharField(max_length=71, help_text="of the uploaded bytes")
    format = models.CharField(max_length=16, help_text="parquet or csv, as uploaded")
    storage_name = models.CharField(max_length=200, help_text="server-made, from the digest")
    size_bytes = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=State, default=State.READY)
    state_reason = models.CharField(max_length=500, blank=True)
    table_name = models.CharField(
        max_length=200, blank=True, help_text="the Parquet file; the upload itself if it was one"
    )
    table_digest = models.CharField(max_length=71, blank=True, help_text="of the Parquet file")
    rows = models.BigIntegerField(default=0)
    columns = models.JSONField(default=list)
    label_column = models.CharField(max_length=255, blank=True)
    id_column = models.CharField(max_length=255, blank=True)
    time_column = models.CharField(max_length=255, blank=True)
    created_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="dataset_name_once"),
            models.CheckConstraint(
                condition=~models.Q(state="ready")
                | (models.Q(rows__gte=1) & ~models.Q(table_name="")),
                name="dataset_ready_has_rows",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class VersionDataset(models.Model):
    """Lineage: this version was trained or validated on that dataset."""

    class Use(models.TextChoices):
        TRAINING = "training", "Training"
        VALIDATION = "validation", "Validation"
        REFERENCE = "reference", "Reference"

    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="datasets")
    dataset = models.ForeignKey(Dataset, models.PROTECT, related_name="versions")
    use = models.CharField(max_length=16, choices=Use)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "dataset", "use"], name="version_dataset_once"
            ),
            models.CheckConstraint(
                condition=models.Q(use__in=["training", "validation", "reference"]),
                name="version_dataset_use_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.use}: {self.dataset}"
