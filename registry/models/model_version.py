"""One immutable release of a model. A trigger refuses changes to what the digest covers."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class Consumption(models.TextChoices):
    """How a version reaches its callers."""

    ONLINE = "online", "Online"
    BATCH = "batch", "Batch by REST"
    TABLE = "table", "Shared table"
    STREAM = "stream", "Stream"
    DEVICE = "device", "Device"
    ONE_OFF = "one_off", "One-off"
    VENDOR = "vendor", "Vendor"


class Status(models.TextChoices):
    """Whether a version can be used; the values are MLflow's."""

    PENDING = "PENDING_REGISTRATION", "Gates are looked at"
    FAILED = "FAILED_REGISTRATION", "Refused at registration"
    READY = "READY", "Ready"


class Stage(models.TextChoices):
    """MLflow's old stages: a label of their own, which moves no traffic."""

    NONE = "None", "None"
    STAGING = "Staging", "Staging"
    PRODUCTION = "Production", "Production"
    ARCHIVED = "Archived", "Archived"


class Derivation(models.TextChoices):
    """How one release was made from another."""

    PRUNED = "pruned", "Pruned"
    QUANTISED = "quantised", "Quantised"
    COMPRESSED = "compressed", "Compressed"
    DISTILLED = "distilled", "Distilled"
    FINE_TUNED = "fine_tuned", "Fine-tuned"
    CONVERTED = "converted", "Converted to another format"
    SNAPSHOT = "snapshot", "Snapshot of an online learner"


class ModelVersion(models.Model):
    """A release: artifacts by digest, code, threshold, signature, lineage; one digest over all.

    ``release`` is the canonical content that ``release_digest`` is computed over; the columns
    beside it repeat parts of it for queries. See ``registry/release.py`` for its keys.
    """

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    model = models.ForeignKey("registry.RegisteredModel", models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    semantic_version = models.CharField(max_length=64, blank=True, help_text="such as 2.1.0")
    release = models.JSONField()
    release_digest = models.CharField(max_length=71)
    consumption = models.CharField(max_length=16, choices=Consumption, default=Consumption.ONLINE)
    source = models.CharField(max_length=1024, blank=True, help_text="inert text, never opened")
    run_id = models.CharField(max_length=64, blank=True)
    run_link = models.CharField(max_length=1000, blank=True, help_text="inert text")
    logged_model_id = models.CharField(max_length=255, blank=True, help_text="MLflow's m-…")
    git_commit = models.CharField(max_length=64, blank=True)
    derived_from = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="derivatives"
    )
    derivation = models.CharField(max_length=16, choices=Derivation, blank=True)
    decision_threshold = models.FloatField(null=True, blank=True, help_text="on the score")
    signature = models.JSONField(default=dict, help_text="MLflow-style inputs and outputs")
    reported_metrics = models.JSONField(default=dict, help_text="figures from outside")
    description = models.TextField(blank=True)
    tags = models.JSONField(default=dict)
    status = models.CharField(max_length=24, choices=Status, default=Status.READY)
    status_message = models.CharField(max_length=2000, blank=True)
    stage = models.CharField(max_length=16, choices=Stage, default=Stage.NONE)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        help_text="the person, or the person who answers for the service account",
    )
    created_through = models.ForeignKey(
        "accounts.ServiceAccount", models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="its number is never given again"
    )

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="version_number_once"),
            models.UniqueConstraint(
                fields=["model", "semantic_version"],
                condition=~Q(semantic_version=""),
                name="version_semantic_once",
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="version_number_is_positive"),
            models.CheckConstraint(
                condition=Q(derived_from=None, derivation="")
                | (Q(derived_from__isnull=False) & ~Q(derivation="")),
                name="version_derivation_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(derived_from=None) | Q(derived_from__lt=models.F("id")),
                name="version_parent_is_older",
            ),
        ]
        indexes = [
            models.Index(fields=["model", "release_digest"], name="version_release"),
            models.Index(
                fields=["workspace", "-updated_at", "-id"],
                condition=Q(deleted_at=None),
                name="version_last_updated",
            ),
            models.Index(fields=["workspace", "run_id"], name="version_run"),
            models.Index(
                fields=["id"],
                condition=Q(status="PENDING_REGISTRATION"),
                name="version_waiting",
            ),
            models.Index(
                fields=["model"], condition=Q(deleted_at__isnull=False), name="version_deleted"
            ),
            models.Index(fields=["model", "id"], condition=Q(deleted_at=None), name="version_kept"),
            models.Index(
                fields=["model", "stage", "-number"],
                condition=Q(deleted_at=None),
                name="version_latest_in_stage",
            ),
            GinIndex(fields=["tags"], opclasses=["jsonb_path_ops"], name="version_tags"),
        ]

    def __str__(self) -> str:
        return f"{self.model.name} {self.number}"

    @property
    def title(self) -> str:
        """``credit 7 (2.1.0)``."""
        return f"{self.model.name} {self.numbers}"

    @property
    def numbers(self) -> str:
        """``7``, or ``7 (2.1.0)`` where it has a semantic version: how pages name it."""
        return (
            f"{self.number} ({self.semantic_version})"
            if self.semantic_version
            else str(self.number)
        )


class VersionAuthor(models.Model):
    """Somebody who shaped a version (git author, run user …); ``user`` is null when unmapped.

    An author whom nobody has mapped to a person blocks approval (DESIGN 2, authors).
    """

    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="authors")
    role = models.CharField(max_length=32, help_text="registered, run_user, git_author, …")
    identity = models.CharField(max_length=254, help_text="e-mail or user name as given")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "role", "identity"], name="version_author_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["version"], condition=Q(user=None), name="version_author_unmapped"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identity} ({self.role})"

    @property
    def role_in_words(self) -> str:
        """``git_author`` as a person reads it."""
        return self.role.replace("_", " ").capitalize()
