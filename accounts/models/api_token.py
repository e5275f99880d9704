"""Service accounts and tokens: hashed, scoped, expiring, bound to one workspace."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models.user import new_pid
from accounts.roles import RULES, Capability, Role

MAX_LIFETIME = timedelta(days=90)
SIGNING_ROLES = sorted(role.value for role in RULES[Capability.REQUEST_SIGN].roles)


def _service_pid() -> str:
    return new_pid("s")


class ServiceAccount(models.Model):
    """A machine's identity. A named person answers for it, and counts as author of what it does."""

    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    pid = models.CharField(max_length=64, unique=True, default=_service_pid, editable=False)
    name = models.CharField(max_length=100)
    responsible = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    roles = ArrayField(models.CharField(max_length=32, choices=Role.choices))
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="service_account_name_once"),
            models.CheckConstraint(
                condition=Q(roles__len__gt=0), name="service_account_holds_a_role"
            ),
            # Service accounts never sign (DESIGN 3.1).
            models.CheckConstraint(
                condition=~Q(roles__overlap=SIGNING_ROLES), name="service_account_never_signs"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApiToken(models.Model):
    """A secret that stands for a person or a service account in one workspace."""

    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="tokens"
    )
    service_account = models.ForeignKey(
        ServiceAccount, models.PROTECT, null=True, blank=True, related_name="tokens"
    )
    key_id = models.CharField(
        max_length=8, unique=True, help_text="public part, first in the token"
    )
    secret_sha256 = models.BinaryField(max_length=32)
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=32))
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, service_account__isnull=True)
                | Q(user__isnull=True, service_account__isnull=False),
                name="token_stands_for_exactly_one",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__lte=F("created_at") + MAX_LIFETIME),
                name="token_expires_within_90_days",
            ),
            models.CheckConstraint(condition=Q(scopes__len__gt=0), name="token_has_a_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.name} (cs_{self.key_id}…)"

    def state_at(self, now: datetime) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if now < self.expires_at else "expired"
