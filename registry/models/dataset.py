"""Tables that evidence is computed from, known by digest."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from common.ids import uuid7


class Dataset(models.Model):
    """An uploaded Parquet or CSV table, stored as Parquet by its digest, with a profile.

    ``columns`` is ``[{"name", "type": "number"|"integer"|"boolean"|"text"|"time", "nulls",
    "distinct", "min", "max", "mean", "std", "top": [[value, count], …]}]``; text columns that
    are nearly unique keep counts only.
    """

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    digest = models.CharField(max_length=71, help_text="of the uploaded bytes")
    format = models.CharField(max_length=16, help_text="parquet or csv, as uploaded")
    storage_name = models.CharField(max_length=200, help_text="server-made, from the digest")
    size_bytes = models.BigIntegerField()
    rows = models.BigIntegerField()
    columns = models.JSONField(default=list)
    label_column = models.CharField(max_length=255, blank=True)
    id_column = models.CharField(max_length=255, blank=True)
    time_column = models.CharField(max_length=255, blank=True)
    created_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="dataset_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class VersionDataset(models.Model):
    """Lineage: this version was trained or validated on that dataset."""

    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="datasets")
    dataset = models.ForeignKey(Dataset, models.PROTECT, related_name="versions")
    use = models.CharField(max_length=16, help_text="training, validation, reference")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "dataset", "use"], name="version_dataset_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.use}: {self.dataset}"
