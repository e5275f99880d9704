"""Background work as rows: this table is the queue of record, a Celery message only a nudge."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class Job(models.Model):
    """One piece of background work, from asked for to done.

    A claim takes a lease on the database's clock and a new fence; every later write names that
    fence, so a worker that lost its lease can write nothing.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        NEEDS_OPERATOR = "needs_operator", "Needs an operator"

    TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.NEEDS_OPERATOR})

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    kind = models.CharField(max_length=64, help_text="which handler, e.g. evaluation.evaluate")
    queue = models.CharField(max_length=16, default="default")
    title = models.CharField(max_length=300, help_text="what a person reads beside the bar")
    payload = models.JSONField(default=dict)
    dedupe_key = models.CharField(  # noqa: DJ001 - NULL is "no key", and is not unique
        max_length=200,
        null=True,
        blank=True,
        help_text="at most one unfinished job per key and workspace",
    )
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    progress = models.FloatField(default=0.0, help_text="0 to 1")
    message = models.CharField(max_length=500, blank=True, help_text="what it does now, a sentence")
    cursor = models.JSONField(default=dict, help_text="where the handler goes on")
    result = models.JSONField(default=dict)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="failed or lost claims in a row")
    max_attempts = models.PositiveIntegerField(default=5)
    claims = models.PositiveIntegerField(default=0)
    fence = models.BigIntegerField(
        default=0, help_text="from the sequence jobs_fence_seq; whoever holds the newest may write"
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    next_run_at = models.DateTimeField(db_default=Now())
    cancel_requested = models.BooleanField(default=False)
    created_by_pid = models.CharField(max_length=64, blank=True)
    created_by_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["next_run_at"],
                condition=Q(state__in=["queued", "running"]),
                name="job_runnable",
            ),
            models.Index(fields=["workspace", "-id"], name="job_newest"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "dedupe_key"],
                condition=Q(state__in=["queued", "running"]),
                name="job_one_unfinished_per_key",
            ),
            models.CheckConstraint(
                condition=Q(progress__gte=0, progress__lte=1), name="job_progress_is_a_share"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"], finished_at__isnull=True)
                | Q(
                    state__in=["succeeded", "failed", "cancelled", "needs_operator"],
                    finished_at__isnull=False,
                ),
                name="job_finished_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uid}"

    @property
    def is_terminal(self) -> bool:
        return self.state in self.TERMINAL


class Tick(models.Model):
    """A periodic job's slot: whoever inserts it first runs it, so two beats are harmless."""

    name = models.CharField(max_length=64)
    slot = models.BigIntegerField(help_text="Unix time divided by the period")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "slot"], name="tick_once")]

    def __str__(self) -> str:
        return f"{self.name}@{self.slot}"


class QueuePing(models.Model):
    """When a queue last completed a ping, end to end; an old one means a deaf worker."""

    queue = models.CharField(max_length=16, primary_key=True)
    completed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.queue
