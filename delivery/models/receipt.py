"""What batch runs say about themselves, checked against what was live when they began."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.ids import uuid7


class BatchReceipt(models.Model):
    """One run over many rows: which release it used, on what, from when until when.

    Kept whether it agrees or not; ``content_digest`` tells the same receipt sent twice from two
    receipts for one run.
    """

    class State(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        MISMATCH = "mismatch", "Does not agree"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    model = models.ForeignKey("registry.RegisteredModel", models.PROTECT, related_name="receipts")
    environment = models.ForeignKey("registry.Environment", models.PROTECT, related_name="+")
    run_id = models.CharField(max_length=200)
    version = models.ForeignKey(
        "registry.ModelVersion",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="none: no release of this model has that digest",
    )
    stated = models.CharField(max_length=71, help_text="the digest or version number as given")
    expected = models.ForeignKey(
        "registry.ModelVersion",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="what was live there when it began",
    )
    rows = models.BigIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    input_digest = models.CharField(max_length=71, blank=True)
    output_digest = models.CharField(max_length=71, blank=True)
    content_digest = models.CharField(max_length=71)
    state = models.CharField(max_length=8, choices=State)
    reason = models.CharField(max_length=500, help_text="why it agrees or does not, as a sentence")
    sent_by_pid = models.CharField(max_length=64)
    sent_by_label = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["model", "run_id"], name="receipt_once_per_run"),
            models.CheckConstraint(condition=Q(rows__gte=0), name="receipt_rows_not_negative"),
            models.CheckConstraint(
                condition=Q(finished_at__gte=F("started_at")), name="receipt_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=~Q(state="accepted") | Q(version__isnull=False),
                name="receipt_accepted_has_a_version",
            ),
        ]
        indexes = [models.Index(fields=["model", "state", "-id"], name="receipt_by_state")]

    def __str__(self) -> str:
        return f"run {self.run_id}"
