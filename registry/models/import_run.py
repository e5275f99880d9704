"""One bringing-in of another registry, and how far it came."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from common.ids import uuid7


class ImportRun(models.Model):
    """The cursor is where it goes on; ``left_out`` is ``[{"what", "why"}, …]``."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    source_url = models.CharField(max_length=1000)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    cursor = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    left_out = models.JSONField(default=list)
    started_by_pid = models.CharField(max_length=64)
    started_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"import from {self.source_url}"
