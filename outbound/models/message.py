"""The outbox: what is to be told outside, written beside the change that caused it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class Message(models.Model):
    """One mail or webhook call. It is delivered at least once, under the same id each time."""

    class Kind(models.TextChoices):
        MAIL = "mail", "Mail"
        WEBHOOK = "webhook", "Webhook"

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    class Scheme(models.TextChoices):
        """Whose header names and signature a webhook call carries."""

        STANDARD = "standard", "Standard Webhooks"
        MLFLOW = "mlflow", "MLflow"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind)
    purpose = models.CharField(max_length=64, help_text="why it is sent, e.g. request.opened")
    dedupe_key = models.CharField(max_length=200, help_text="the same fact is told once")
    to = ArrayField(models.EmailField(max_length=254), default=list, blank=True)
    subject = models.CharField(max_length=300, blank=True)
    body = models.TextField(blank=True, help_text="plain text of a mail, JSON of a webhook")
    url = models.CharField(max_length=2000, blank=True)
    sealed_secret = models.TextField(blank=True, help_text="encrypted key of a webhook's HMAC")
    scheme = models.CharField(max_length=8, choices=Scheme, default=Scheme.STANDARD)
    subscription = models.UUIDField(
        null=True, blank=True, help_text="whose deliveries these are, e.g. a webhook's uid"
    )
    again_of = models.UUIDField(
        null=True, blank=True, help_text="the message that this one was sent again from"
    )
    message_id = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(db_default=Now())
    error = models.CharField(max_length=300, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    response_excerpt = models.CharField(
        max_length=300, blank=True, help_text="only from hosts that may be quoted"
    )
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state="queued"), name="message_due"),
            models.Index(fields=["workspace", "-id"], name="message_newest"),
            models.Index(
                fields=["subscription", "-id"],
                condition=Q(subscription__isnull=False),
                name="message_of_subscription",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "kind", "dedupe_key"], name="message_told_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="mail", to__len__gte=1, url="")
                # MLflow signs only where its caller gave a secret; ours are always signed.
                | (
                    Q(kind="webhook", to__len=0)
                    & ~Q(url="")
                    & (Q(scheme="mlflow") | ~Q(sealed_secret=""))
                ),
                name="message_has_a_receiver",
            ),
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False)
                | (~Q(state="sent") & Q(sent_at__isnull=True)),
                name="message_sent_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uid}"
