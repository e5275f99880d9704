"""Where a model's new versions get their endpoint from, and what came of it for each."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class EndpointSource(models.Model):
    """How a version of this model that has no endpoint gets one.

    ``template``: a URL with places for the version's names. ``tag``: the version's tag
    ``countersign.endpoint`` holds it. ``hook``: ``hook_url`` is called, stands the version up and
    answers with the URL. Everything else is as an endpoint has it.
    """

    class Kind(models.TextChoices):
        TEMPLATE = "template", "A URL template"
        TAG = "tag", "A tag of the version"
        HOOK = "hook", "A hook that stands it up"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    model = models.ForeignKey(
        "registry.RegisteredModel", models.PROTECT, related_name="endpoint_sources"
    )
    kind = models.CharField(max_length=8, choices=Kind)
    template = models.CharField(max_length=1024, blank=True)
    origin = models.CharField(
        max_length=300, blank=True, help_text="scheme, host and port that a URL must have"
    )
    hook_url = models.CharField(max_length=1024, blank=True)
    sealed_secret = models.TextField(blank=True, help_text="encrypted key of the hook's HMAC")
    answer_within_s = models.PositiveIntegerField(default=900, help_text="seconds a hook has")
    protocol = models.CharField(max_length=32, default="mlflow")
    mapping = models.JSONField(default=dict)
    input_columns = models.JSONField(default=list, help_text="empty: the signature's inputs")
    timeout_ms = models.PositiveIntegerField(default=10_000, help_text="total deadline of a call")
    max_batch_rows = models.PositiveIntegerField(default=1000)
    created_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["model"], condition=Q(removed_at=None), name="endpoint_source_once"
            ),
            models.CheckConstraint(
                condition=(Q(kind="template", hook_url="") & ~Q(template=""))
                | Q(kind="tag", template="", hook_url="")
                | (Q(kind="hook", template="") & ~Q(hook_url="")),
                name="endpoint_source_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(answer_within_s__range=(60, 86_400)),
                name="endpoint_source_answer_is_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.model.name}"


class EndpointSourceSecret(models.Model):
    """A header that the endpoints made from a source send with every call; encrypted."""

    source = models.ForeignKey(EndpointSource, models.CASCADE, related_name="secrets")
    header = models.CharField(max_length=100)
    ciphertext = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "header"], name="endpoint_source_secret_once")
        ]

    def __str__(self) -> str:
        return f"{self.header} for {self.source}"


class EndpointProvision(models.Model):
    """One try to get a version an endpoint. ``uid`` is what a hook answers to, once."""

    class State(models.TextChoices):
        TRYING = "trying", "Being made"
        WAITING = "waiting", "The hook was asked"
        MADE = "made", "Made"
        FAILED = "failed", "Not made"
        EXPIRED = "expired", "The hook did not answer"

    OPEN = (State.TRYING, State.WAITING)

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    version = models.ForeignKey(
        "registry.ModelVersion", models.PROTECT, related_name="endpoint_provisions"
    )
    source = models.ForeignKey(EndpointSource, models.PROTECT, related_name="provisions")
    kind = models.CharField(max_length=8, choices=EndpointSource.Kind)
    state = models.CharField(max_length=8, choices=State)
    reason = models.CharField(max_length=500, blank=True)
    url = models.CharField(max_length=1024, blank=True)
    endpoint = models.ForeignKey(
        "serving.Endpoint", models.PROTECT, null=True, blank=True, related_name="+"
    )
    message = models.ForeignKey(
        "outbound.Message", models.PROTECT, null=True, blank=True, related_name="+"
    )
    asked_by_pid = models.CharField(max_length=64, blank=True, help_text="empty: by registering")
    asked_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["version"],
                condition=Q(state__in=["trying", "waiting"]),
                name="endpoint_provision_open_once",
            ),
            models.CheckConstraint(
                condition=Q(state="made", endpoint__isnull=False)
                | (~Q(state="made") & Q(endpoint=None)),
                name="endpoint_provision_made_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["trying", "waiting"], finished_at=None)
                | (~Q(state__in=["trying", "waiting"]) & Q(finished_at__isnull=False)),
                name="endpoint_provision_end_is_whole",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=Q(state="waiting"),
                name="endpoint_provision_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.get_state_display()}"
