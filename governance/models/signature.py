"""A person's decision over exactly what was shown. Never changed, never deleted (trigger)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class Signature(models.Model):
    """One person's verdict, re-authenticated, with a meaning, over one digest.

    There is no column for a service account: only people sign. Triggers refuse an author, a
    person without the role, a digest that is not the request's present one, and a request that
    is not open. A signature of an earlier round is void.
    """

    class Verdict(models.TextChoices):
        APPROVE = "approve", "Approves"
        REJECT = "reject", "Rejects"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    promotion = models.ForeignKey(
        "governance.PromotionRequest", models.PROTECT, related_name="signatures"
    )
    round = models.PositiveIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    role = models.CharField(max_length=32)
    verdict = models.CharField(max_length=8, choices=Verdict)
    meaning = models.CharField(max_length=300)
    digest = models.CharField(max_length=71)
    session_sha256 = models.CharField(
        max_length=64, blank=True, help_text="of the session's id; the id itself is a secret"
    )
    event_id = models.BigIntegerField(
        null=True, blank=True, help_text="the trail's event; the reason stands there"
    )
    signed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["promotion", "round", "user"], name="signature_once_per_person"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=["approve", "reject"]), name="signature_verdict_is_known"
            ),
            models.CheckConstraint(condition=~Q(meaning=""), name="signature_has_a_meaning"),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.verdict}s as {self.role}"
