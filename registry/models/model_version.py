"""One immutable release of a model. A trigger refuses changes to what the digest covers."""

from __future__ import annotations

from django.conf import settings
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


class ModelVersion(models.Model):
    """A release: artifacts by digest, code, threshold, signature, lineage; one digest over all.

    ``release`` is the canonical content that ``release_digest`` is computed over; the columns
    beside it repeat parts of it for queries. See ``registry/release.py`` for its keys.
    """

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    model = models.ForeignKey("registry.RegisteredModel", models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    release = models.JSONField()
    release_digest = models.CharField(max_length=71)
    consumption = models.CharField(max_length=16, choices=Consumption, default=Consumption.ONLINE)
    source = models.CharField(max_length=1024, blank=True, help_text="inert text, never opened")
    run_id = models.CharField(max_length=64, blank=True)
    git_commit = models.CharField(max_length=64, blank=True)
    decision_threshold = models.FloatField(null=True, blank=True, help_text="on the score")
    signature = models.JSONField(default=dict, help_text="MLflow-style inputs and outputs")
    reported_metrics = models.JSONField(default=dict, help_text="figures from outside")
    description = models.TextField(blank=True)
    tags = models.JSONField(default=dict)
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

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="version_number_once"),
            models.UniqueConstraint(
                fields=["model", "release_digest"], name="version_release_once"
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="version_number_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.model.name} {self.number}"


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

    def __str__(self) -> str:
        return f"{self.identity} ({self.role})"

    @property
    def role_in_words(self) -> str:
        """``git_author`` as a person reads it."""
        return self.role.replace("_", " ").capitalize()
