"""Who outside is told what happens in the registry."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from common.ids import uuid7


class Webhook(models.Model):
    """A URL that is called when one of ``events`` happens; MLflow's clients manage these too.

    ``events`` is ``[{"entity": "MODEL_VERSION", "action": "CREATED"}, …]``. Each delivery is an
    ``outbound.Message``.
    """

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        DISABLED = "DISABLED", "Switched off"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="webhooks")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    url = models.CharField(max_length=2000)
    events = models.JSONField(default=list)
    sealed_secret = models.TextField(blank=True, help_text="encrypted key of the signature")
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTIVE)
    created_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name
