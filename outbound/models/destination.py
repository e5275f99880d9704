"""What an administrator has opened: the private addresses that may be dialled after all."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class DestinationQuerySet(models.QuerySet["Destination"]):
    def in_force(self) -> DestinationQuerySet:
        return self.filter(revoked_at__isnull=True)


class Destination(models.Model):
    """One entry of a workspace's allow-list: these addresses, on this port, by this name if given.

    Entries are revoked, never deleted or changed: who opened what, and when, stays readable.
    """

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    cidr = models.CharField(max_length=43, help_text="a network, e.g. 10.1.0.0/16 or fd00::/8")
    port = models.PositiveIntegerField(help_text="1 to 65535")
    host = models.CharField(
        max_length=253, blank=True, help_text="only under this name; empty for any name"
    )
    reason = models.CharField(max_length=500)
    created_by_pid = models.CharField(max_length=64)
    created_by_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    revoked_by_pid = models.CharField(max_length=64, blank=True)
    revoked_by_label = models.CharField(max_length=200, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = DestinationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "cidr", "port", "host"],
                condition=Q(revoked_at__isnull=True),
                name="destination_open_once",
            ),
            models.CheckConstraint(
                condition=Q(port__gte=1, port__lte=65535), name="destination_port_is_a_port"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="destination_has_a_reason"),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by_pid="")
                | (Q(revoked_at__isnull=False) & ~Q(revoked_by_pid="")),
                name="destination_revocation_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host or self.cidr}:{self.port}"

    @property
    def is_in_force(self) -> bool:
        return self.revoked_at is None
