"""A model under governance, and the environments its versions can be live in."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Kind(models.TextChoices):
    """What a model answers; decides which evidence applies (DESIGN 2)."""

    BINARY = "binary", "Binary classification"
    MULTICLASS = "multiclass", "Multiclass classification"
    REGRESSION = "regression", "Regression"
    RANKING = "ranking", "Ranking"
    FORECASTING = "forecasting", "Forecasting"
    RECOMMENDATION = "recommendation", "Recommendation"
    ANOMALY = "anomaly", "Anomaly or cluster"
    TEXT = "text", "Text"
    IMAGE = "image", "Image"
    GENERATIVE = "generative", "Generative or agent"
    PROMPT = "prompt", "Prompt"
    RULE = "rule", "Rules"
    VENDOR = "vendor", "Vendor"


class Environment(models.Model):
    """Where traffic is; ordered, and each has a protected alias of the same name."""

    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="environments")
    name = models.CharField(max_length=64)
    position = models.PositiveSmallIntegerField(help_text="lower comes earlier on the way to users")
    alias = models.CharField(
        max_length=64, help_text="the protected alias that names what is live here"
    )

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="environment_name_once"),
            models.UniqueConstraint(fields=["workspace", "alias"], name="environment_alias_once"),
        ]

    def __str__(self) -> str:
        return self.name


class RegisteredModel(models.Model):
    """A named model with an owner, a purpose and a materiality tier."""

    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="models")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    purpose = models.TextField(blank=True, help_text="what it is used for, and what for not")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.BINARY)
    tier = models.PositiveSmallIntegerField(default=2, help_text="materiality, 1 high to 3 low")
    tags = models.JSONField(default=dict)
    next_version = models.PositiveIntegerField(default=1)
    gated_at_registration = models.BooleanField(
        default=False, help_text="a new version is ready only when its policy's gates have spoken"
    )
    deployment_job_id = models.CharField(max_length=255, blank=True, help_text="kept for mlflow")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="its name is free again; its history stays"
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"],
                condition=Q(deleted_at=None),
                name="model_name_once",
            ),
            models.CheckConstraint(condition=Q(tier__range=(1, 3)), name="model_tier_is_1_to_3"),
            models.CheckConstraint(condition=~Q(name=""), name="model_has_a_name"),
        ]
        indexes = [
            models.Index(OpClass("name", name="text_pattern_ops"), name="model_name_prefix"),
            models.Index(fields=["workspace", "name"], name="model_by_name"),
            GinIndex(fields=["tags"], opclasses=["jsonb_path_ops"], name="model_tags"),
        ]

    def __str__(self) -> str:
        return self.name
