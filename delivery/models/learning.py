"""Models that learn while they work: snapshots on a schedule, and a version to fall back on."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class LearningPlan(models.Model):
    """How often an online learner is frozen into a version, and where its state is read.

    ``fetch`` reads the bytes at ``url``; ``hook`` tells ``url`` (signed) that one is due, and the
    learner hands its snapshot in. Each snapshot becomes a version like any other: it is live
    nowhere until it is promoted.
    """

    class How(models.TextChoices):
        FETCH = "fetch", "We read it from a URL"
        HOOK = "hook", "We tell a URL, and it hands one in"

    model = models.OneToOneField(
        "registry.RegisteredModel", models.PROTECT, related_name="learning_plan"
    )
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    every_seconds = models.PositiveIntegerField()
    how = models.CharField(max_length=8, choices=How, default=How.FETCH)
    url = models.CharField(max_length=2000)
    sealed_secret = models.TextField(blank=True, help_text="encrypted key of the hook's signature")
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        help_text="answers for the snapshots: their author",
    )
    set_at = models.DateTimeField(db_default=Now())
    next_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(every_seconds__gte=60), name="learning_plan_not_too_often"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(stopped_at=None), name="learning_plan_due")
        ]

    def __str__(self) -> str:
        return f"snapshots of {self.model}"


class Snapshot(models.Model):
    """One moment at which a snapshot was due or handed in, and what came of it."""

    class State(models.TextChoices):
        ASKED = "asked", "Asked for"
        REGISTERED = "registered", "Registered"
        UNCHANGED = "unchanged", "Nothing had changed"
        FAILED = "failed", "Failed"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    plan = models.ForeignKey(LearningPlan, models.PROTECT, related_name="snapshots")
    state = models.CharField(max_length=16, choices=State, default=State.ASKED)
    reason = models.CharField(max_length=500, blank=True)
    digest = models.CharField(max_length=71, blank=True, help_text="over the bytes")
    size = models.BigIntegerField(default=0, help_text="bytes")
    version = models.ForeignKey(
        "registry.ModelVersion", models.PROTECT, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="registered") | Q(version__isnull=False),
                name="snapshot_registered_has_a_version",
            ),
        ]

    def __str__(self) -> str:
        return f"snapshot {self.uid}"


class Fallback(models.Model):
    """The frozen version that readers take when the current one may not be used."""

    model = models.OneToOneField(
        "registry.RegisteredModel", models.PROTECT, related_name="fallback"
    )
    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    set_by_pid = models.CharField(max_length=64)
    set_by_label = models.CharField(max_length=200, blank=True)
    set_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.version}, frozen"
