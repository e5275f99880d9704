"""Devices that carry a model with them: what each runs, in which ring, and what is called back."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7

RING_NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"


class Ring(models.Model):
    """A part of the fleet; ``position`` is the order in which a new version reaches them."""

    route = models.ForeignKey("delivery.Route", models.CASCADE, related_name="rings")
    name = models.CharField(max_length=32, validators=[RegexValidator(RING_NAME)])
    position = models.PositiveSmallIntegerField(help_text="0 is the first to get a new version")
    share = models.PositiveSmallIntegerField(help_text="percent of the fleet that belongs to it")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["route", "name"], name="ring_name_once"),
            models.UniqueConstraint(fields=["route", "position"], name="ring_position_once"),
            models.CheckConstraint(
                condition=Q(share__range=(1, 100)), name="ring_share_is_percent"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Device(models.Model):
    """The last that one device said. Its name is a pseudonym; nothing else about it is kept."""

    model = models.ForeignKey("registry.RegisteredModel", models.PROTECT, related_name="devices")
    device_id = models.CharField(max_length=128)
    digest = models.CharField(max_length=71, help_text="the release that it runs, as it says")
    version = models.ForeignKey(
        "registry.ModelVersion", models.PROTECT, null=True, blank=True, related_name="+"
    )
    ring = models.CharField(max_length=32, blank=True)
    seen_at = models.DateTimeField(help_text="the device's own time of its last report")
    first_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["device_id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "device_id"], name="device_once"),
        ]
        indexes = [
            models.Index(fields=["model", "version", "seen_at"], name="device_by_version"),
            models.Index(fields=["model", "seen_at"], name="device_by_time"),
        ]

    def __str__(self) -> str:
        return self.device_id


class FleetDay(models.Model):
    """How many devices spoke on a day (UTC), by the release and ring they last named that day."""

    model = models.ForeignKey("registry.RegisteredModel", models.PROTECT, related_name="+")
    day = models.DateField()
    digest = models.CharField(max_length=71)
    ring = models.CharField(max_length=32, blank=True)
    devices = models.PositiveIntegerField()

    class Meta:
        ordering = ["day", "digest", "ring"]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "day", "digest", "ring"], name="fleet_day_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.devices} devices on {self.day}"


class Recall(models.Model):
    """An order that nobody runs this version any more, until it is lifted."""

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    model = models.ForeignKey("registry.RegisteredModel", models.PROTECT, related_name="recalls")
    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="recalls")
    reason = models.CharField(max_length=500)
    devices = models.PositiveIntegerField(help_text="on it when the order was given")
    ordered_by_pid = models.CharField(max_length=64)
    ordered_by_label = models.CharField(max_length=200, blank=True)
    ordered_at = models.DateTimeField(db_default=Now())
    lifted_by_pid = models.CharField(max_length=64, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["version"], condition=Q(lifted_at=None), name="recall_one_open_per_version"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="recall_has_a_reason"),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_reason="")
                | (Q(lifted_at__isnull=False) & ~Q(lifted_reason="")),
                name="recall_lifting_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"recall of {self.version}"
