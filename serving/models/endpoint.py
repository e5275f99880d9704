"""Where a version answers: a URL outside, a protocol, and how an answer becomes a score."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class Endpoint(models.Model):
    """A URL outside that serves one version over one wire protocol.

    ``mapping`` says how an answer becomes a score: ``{"path": "predictions", "field": null,
    "index": null, "positive_class": 1}``; see ``serving/mapping.py``. ``input_columns`` are the
    columns sent, in order. Version, URL, protocol, mapping and columns never change (a trigger
    holds that): evidence was measured through them. Retire it and make another instead.
    """

    class State(models.TextChoices):
        UNKNOWN = "unknown", "Never probed"
        READY = "ready", "Ready"
        FAILING = "failing", "Failing"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="endpoints")
    name = models.CharField(max_length=255)
    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="endpoints")
    url = models.CharField(max_length=1024)
    protocol = models.CharField(max_length=32, default="mlflow")
    mapping = models.JSONField(default=dict)
    input_columns = models.JSONField(default=list)
    timeout_ms = models.PositiveIntegerField(default=10_000, help_text="total deadline of a call")
    max_batch_rows = models.PositiveIntegerField(default=1000)
    state = models.CharField(max_length=16, choices=State, default=State.UNKNOWN)
    state_reason = models.CharField(max_length=500, blank=True)
    probed_at = models.DateTimeField(null=True, blank=True)
    probe_ms = models.FloatField(null=True, blank=True, help_text="milliseconds of the last probe")
    probe_detail = models.JSONField(default=dict, help_text="rows sent, from where, scores, code")
    created_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="endpoint_name_once"),
            models.CheckConstraint(
                condition=Q(timeout_ms__range=(100, 120_000)), name="endpoint_timeout_is_sane"
            ),
            models.CheckConstraint(
                condition=Q(max_batch_rows__range=(1, 10_000)), name="endpoint_batch_is_sane"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class EndpointSecret(models.Model):
    """A header sent with every call, encrypted at rest; write-only through the API."""

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="secrets")
    header = models.CharField(max_length=100)
    ciphertext = models.BinaryField()
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "header"], name="endpoint_secret_once")
        ]

    def __str__(self) -> str:
        return f"{self.header} for {self.endpoint}"
