"""The trail's rows. Append-only by triggers and grants (migration 0003), not by good manners."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from common.ids import uuid7


class Event(models.Model):
    """One thing that happened; ``body`` is exactly the bytes that are hashed and sealed."""

    OBJECT_ID_LENGTH: ClassVar[int] = 128
    OBJECT_NAME_LENGTH: ClassVar[int] = 512

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    recorded_at = models.DateTimeField(
        db_default=Now(), help_text="the database's clock, set by a trigger"
    )
    body = models.TextField(help_text="canonical JSON, ASCII")
    leaf_hash = models.BinaryField(null=True, help_text="SHA-256(0x00 ‖ body), set by a trigger")
    mac = models.BinaryField(help_text="HMAC-SHA-256 of the body under a key not in the database")

    # Projections of the body, for search only; audit_verify checks that they equal the body.
    at = models.DateTimeField()
    workspace = models.CharField(max_length=64, blank=True)
    actor_pid = models.CharField(max_length=64)
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=OBJECT_ID_LENGTH)
    object_name = models.CharField(max_length=OBJECT_NAME_LENGTH, blank=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["object_type", "object_id"], name="audit_event_object"),
            models.Index(fields=["workspace", "id"], name="audit_event_workspace"),
            models.Index(fields=["workspace", "action", "id"], name="audit_event_action"),
            models.Index(fields=["workspace", "actor_pid", "id"], name="audit_event_actor"),
            models.Index(fields=["workspace", "at"], name="audit_event_at"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_name}"


class Pending(models.Model):
    """The sealer's queue: filled by a trigger in the event's own transaction."""

    event = models.OneToOneField(Event, models.PROTECT, primary_key=True, related_name="+")

    def __str__(self) -> str:
        return f"event {self.pk}"


class Pii(models.Model):
    """A personal or free-text value that the body holds only as a salted commitment."""

    event = models.ForeignKey(Event, models.PROTECT, related_name="pii")
    field = models.CharField(max_length=64)
    salt = models.BinaryField(max_length=32)
    value = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event", "field"], name="audit_pii_one_value_per_field")
        ]

    def __str__(self) -> str:
        return f"{self.field} of event {self.event_id}"
