"""A person's roles in a workspace, one row each."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from accounts.roles import Role


class Membership(models.Model):
    """This person holds this role in this workspace."""

    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=32, choices=Role)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="null: granted by the system, at set-up",
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["workspace_id", "user_id", "role"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user", "role"], name="membership_role_once"
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role_is_known"
            ),
            # An administrator who could give themself a signing role would promote alone.
            models.CheckConstraint(
                condition=models.Q(granted_by__isnull=True)
                | ~models.Q(granted_by=models.F("user")),
                name="membership_not_granted_to_oneself",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} in {self.workspace}"
