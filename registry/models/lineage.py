"""What a version leans on and where else it is written about."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class VersionComponent(models.Model):
    """This version calls that one (pipeline, ensemble, upstream score).

    The release says so too, by digest; the row is there to be asked in both directions.
    """

    version = models.ForeignKey(
        "registry.ModelVersion", models.PROTECT, related_name="component_rows"
    )
    component = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="used_by")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "component"], name="component_once"),
            models.CheckConstraint(
                condition=~Q(version=models.F("component")), name="component_is_another"
            ),
            # A version calls only what was there before it: so there can be no circle.
            models.CheckConstraint(
                condition=Q(component__lt=models.F("version")), name="component_is_older"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} uses {self.component}"


class VersionLink(models.Model):
    """A page elsewhere about this version: shown, never fetched."""

    class Kind(models.TextChoices):
        MLFLOW = "mlflow", "MLflow run"
        WANDB = "wandb", "Weights & Biases"
        DVC = "dvc", "DVC"
        AUTOML = "automl", "AutoML leaderboard"
        FEATURES = "features", "Feature-store view"
        CODE = "code", "Code"
        DOCUMENT = "document", "Document"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="links")
    kind = models.CharField(max_length=16, choices=Kind)
    url = models.CharField(max_length=2000)
    label = models.CharField(max_length=200, blank=True)
    added_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["kind", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["version", "kind", "url"], name="link_once"),
        ]

    def __str__(self) -> str:
        return self.label or self.url
