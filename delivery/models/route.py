"""Gateways that carry the callers' traffic, the routes callers name, and where each one leads."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7

ROUTE_NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


class Gateway(models.Model):
    """One Envoy (or a fleet fed alike) with its agent.

    ``revision`` is what we want it to serve; the agent posts back what it does serve, or why it
    refused. ``counters`` holds the agent's latest reading of each cluster's statistics.
    """

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="gateways")
    name = models.CharField(max_length=63, validators=[RegexValidator(ROUTE_NAME)])
    public_url = models.CharField(max_length=300, help_text="where callers reach it")
    revision = models.BigIntegerField(default=1)
    revised_at = models.DateTimeField(db_default=Now(), help_text="when ``revision`` was set")
    applied_revision = models.BigIntegerField(default=0)
    refused_revision = models.BigIntegerField(default=0)
    refused_reason = models.CharField(max_length=1000, blank=True)
    counters = models.JSONField(default=dict)
    counters_at = models.DateTimeField(null=True, blank=True)
    agent_seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="gateway_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class Route(models.Model):
    """A stable name for whatever version of a model is live in an environment.

    With a gateway callers send their requests to ``{gateway}/{name}/…``. Without one nothing is
    sent anywhere: whoever runs the model asks ``routes/{name}/current`` which version to run.
    """

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="routes")
    gateway = models.ForeignKey(
        Gateway,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="routes",
        help_text="none: jobs, tables, streams and devices read what is current",
    )
    name = models.CharField(max_length=63, validators=[RegexValidator(ROUTE_NAME)])
    model = models.ForeignKey("registry.RegisteredModel", models.PROTECT, related_name="routes")
    environment = models.ForeignKey("registry.Environment", models.PROTECT, related_name="+")
    timeout_ms = models.PositiveIntegerField(default=10_000)
    attention = models.CharField(
        max_length=500, blank=True, help_text="why somebody must look: gateway ≠ registry"
    )
    attention_since = models.DateTimeField(null=True, blank=True)
    lease_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="how long an answer is good for; none: the setting"
    )
    offline_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="how long a reader may go on when nobody answers; 0: not at all",
    )
    held_version = models.ForeignKey(
        "registry.ModelVersion",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="what rings get that the live version has not reached",
    )
    open_rings = models.PositiveSmallIntegerField(
        default=0, help_text="how many rings, from the first, get the live version while one waits"
    )
    taken_version = models.ForeignKey(
        "registry.ModelVersion",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="the newest version that a reader has asked for and got",
    )
    taken_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="route_name_once"),
            models.UniqueConstraint(fields=["gateway", "name"], name="route_once_per_gateway"),
            models.UniqueConstraint(
                fields=["model", "environment"], name="route_one_per_model_and_environment"
            ),
            models.CheckConstraint(
                condition=Q(taken_version=None, taken_at=None)
                | Q(taken_version__isnull=False, taken_at__isnull=False),
                name="route_taken_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_read(self) -> bool:
        """Whether versions are handed over to readers instead of getting traffic."""
        return self.gateway_id is None


class RouteTarget(models.Model):
    """A version's endpoint behind a route, with its share of the traffic.

    ``address`` is the literal that passed the outbound policy when the target was set: the
    gateway never resolves a name (DESIGN promise 7).
    """

    route = models.ForeignKey(Route, models.CASCADE, related_name="targets")
    endpoint = models.ForeignKey("serving.Endpoint", models.PROTECT, related_name="+")
    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="+")
    weight = models.PositiveSmallIntegerField(default=0, help_text="percent of the route's traffic")
    address = models.GenericIPAddressField()
    port = models.PositiveIntegerField()
    host = models.CharField(max_length=255, help_text="Host header and TLS name")
    path = models.CharField(max_length=500, help_text="prefix at the endpoint")
    tls = models.BooleanField(default=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["route", "endpoint"], name="route_target_once"),
            models.CheckConstraint(
                condition=Q(weight__range=(0, 100)), name="route_target_weight_is_percent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.weight} % to {self.version}"

    @property
    def cluster(self) -> str:
        """The Envoy cluster's name; counters are read by it.

        An endpoint behind two routes is two clusters, or their answers would be counted together.
        """
        return f"ep-{self.route.uid.hex[-12:]}-{self.endpoint.uid}"
