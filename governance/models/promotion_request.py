"""The request that puts a version into an environment, and who shaped it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class Counter(models.Model):
    """The next numbers of a workspace's requests and findings; locked while one is taken."""

    workspace = models.OneToOneField(
        "accounts.Workspace", models.PROTECT, primary_key=True, related_name="+"
    )
    next_request = models.PositiveIntegerField(default=1)
    next_finding = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"numbers of workspace {self.workspace_id}"


class PromotionRequestQuerySet(models.QuerySet["PromotionRequest"]):
    def with_context(self) -> PromotionRequestQuerySet:
        """With everything that a row of a list shows, in one query."""
        return self.select_related(
            "model",
            "version",
            "environment",
            "policy_revision__policy",
            "requested_by",
            "requested_through",
            "live_version",
        )

    def open(self) -> PromotionRequestQuerySet:
        return self.filter(status=PromotionRequest.Status.OPEN)


class PromotionRequest(models.Model):
    """A request to put one model version into one environment.

    ``content`` is the canonical JSON that is signed and ``digest`` its SHA-256 (a constraint holds
    the two together). Every change of it begins a new ``round``; signatures of an earlier round
    are void, and stay.
    """

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"
        EXPIRED = "expired", "Expired"
        INVALIDATED = "invalidated", "No longer valid"
        CARRIED_OUT = "carried_out", "Carried out"
        ROLLED_BACK = "rolled_back", "Rolled back"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="promotions")
    number = models.PositiveIntegerField()
    model = models.ForeignKey("registry.RegisteredModel", models.PROTECT, related_name="promotions")
    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="promotions")
    environment = models.ForeignKey("registry.Environment", models.PROTECT, related_name="+")
    live_version = models.ForeignKey(
        "registry.ModelVersion",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="what it would replace; null for a first release",
    )
    policy_revision = models.ForeignKey(
        "governance.PolicyRevision", models.PROTECT, related_name="promotions"
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    release_digest = models.CharField(max_length=71)
    content = models.TextField(help_text="canonical JSON of what is signed")
    digest = models.CharField(max_length=71, help_text="of content: what a signature names")
    round = models.PositiveIntegerField(default=1, help_text="goes up when content changes")
    plan: Any = models.JSONField(default=dict, help_text="rollout plan of the frozen policy")
    refusals: Any = models.JSONField(
        default=dict, help_text="why evidence could not be asked for, by “kind on dataset”"
    )
    comment = models.TextField(blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    requested_through = models.ForeignKey(
        "accounts.ServiceAccount", models.PROTECT, null=True, blank=True, related_name="+"
    )
    opened_at = models.DateTimeField(db_default=Now())
    signable_since = models.DateTimeField(
        null=True, blank=True, help_text="since when no gate has stood in the way, this round"
    )
    valid_until = models.DateTimeField(
        help_text="an open request lapses then; set anew when it is approved"
    )
    closed_at = models.DateTimeField(null=True, blank=True, help_text="when it left the queue")
    closed_reason = models.TextField(blank=True)
    rollout_uid = models.UUIDField(null=True, blank=True, help_text="the rollout it started")
    objects = PromotionRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="promotion_number_once"),
            models.UniqueConstraint(
                fields=["model", "environment"],
                condition=Q(status="open"),
                name="promotion_one_open_per_environment",
            ),
            models.CheckConstraint(
                condition=Q(status="open", closed_at__isnull=True)
                | (~Q(status="open") & Q(closed_at__isnull=False)),
                name="promotion_closing_is_whole",
            ),
            models.CheckConstraint(condition=Q(round__gte=1), name="promotion_round_is_positive"),
        ]
        indexes = [models.Index(fields=["workspace", "status", "id"], name="promotion_queue")]

    def __str__(self) -> str:
        return f"REQ-{self.number}"

    @property
    def title(self) -> str:
        return f"{self.model.name} {self.version.number} → {self.environment.name}"

    @property
    def tier_words(self) -> str:
        return f"Tier {self.model.tier}"

    @property
    def reference(self) -> str:
        """How lower apps name this approval."""
        return f"promotion:{self.uid}"

    @property
    def is_open(self) -> bool:
        return self.status == self.Status.OPEN

    def is_lapsed(self, now: datetime) -> bool:
        """Whether its validity has ended, whatever the status column still says."""
        return self.valid_until <= now


class RequestAuthor(models.Model):
    """Somebody who shaped what is asked for, and therefore cannot sign it.

    ``user`` is null while nobody has mapped ``identity`` to a person; that blocks approval. Rows
    are never deleted, and change only from unmapped to mapped (trigger).
    """

    promotion = models.ForeignKey(PromotionRequest, models.PROTECT, related_name="authors")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    how = models.CharField(max_length=64, help_text="requested, registered, git_author, …")
    identity = models.CharField(max_length=254, help_text="as given; the pid of a known person")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["promotion", "how", "identity"], name="request_author_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.identity} ({self.how})"
