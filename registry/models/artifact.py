"""Files by what is in them: SHA-256 is the name, whatever anybody called them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class Artifact(models.Model):
    """Bytes that this workspace has uploaded; the same bytes are stored once for all.

    ``format`` is what the first bytes look like; ``is_executable`` says that loading it runs code
    of its author's (pickle and its kin): such a file is stored, and never opened.
    ``inspection`` is what a limited subprocess read of a format that can be read without running.
    """

    class State(models.TextChoices):
        STORED = "stored", "Stored"
        INSPECTING = "inspecting", "Being inspected"
        INSPECTED = "inspected", "Inspected"
        UNREADABLE = "unreadable", "Could not be inspected"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="artifacts")
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField(help_text="bytes")
    name = models.CharField(max_length=255, help_text="what its uploader called it; inert text")
    format = models.CharField(max_length=32, blank=True)
    is_executable = models.BooleanField(default=False)
    storage_name = models.CharField(max_length=200, help_text="server-made, from the digest")
    state = models.CharField(max_length=16, choices=State, default=State.STORED)
    state_reason = models.CharField(max_length=500, blank=True)
    inspection = models.JSONField(default=dict)
    created_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "sha256"], name="artifact_once"),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="artifact_digest_is_one"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ArtifactUpload(models.Model):
    """An upload under way; it goes on from ``received`` after a lost connection.

    Its parts lie in the storage until the whole has been checked against ``size`` and ``sha256``;
    only then is there an artifact.
    """

    class State(models.TextChoices):
        OPEN = "open", "Waiting for parts"
        VERIFYING = "verifying", "Being checked"
        DONE = "done", "Stored"
        REFUSED = "refused", "Refused"
        GIVEN_UP = "given_up", "Given up"
        EXPIRED = "expired", "Expired"

    #: States in which it still is under way.
    UNDER_WAY = (State.OPEN, State.VERIFYING)

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, blank=True, help_text="as announced, or empty")
    size = models.BigIntegerField(help_text="bytes, as announced")
    received = models.BigIntegerField(default=0, help_text="bytes")
    parts = models.JSONField(default=list, help_text="[{size, sha256, key}], in order")
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    state_reason = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_through = models.ForeignKey(
        "accounts.ServiceAccount", models.PROTECT, null=True, blank=True, related_name="+"
    )
    artifact = models.ForeignKey(Artifact, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True, help_text="finished or given up")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(received__gte=0) & Q(received__lte=models.F("size")),
                name="upload_within_its_size",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "verifying"], ended_at=None)
                | (~Q(state__in=["open", "verifying"]) & Q(ended_at__isnull=False)),
                name="upload_ends_with_its_state",
            ),
            models.CheckConstraint(
                condition=Q(state="done", artifact__isnull=False)
                | (~Q(state="done") & Q(artifact=None)),
                name="upload_done_has_an_artifact",
            ),
        ]

    def __str__(self) -> str:
        return f"upload of {self.name}"
