"""Evidence: the immutable result, with a digest, of one look at a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.ids import uuid7

if TYPE_CHECKING:
    from accounts.models import Workspace


class EvidenceQuerySet(models.QuerySet["Evidence"]):
    """Reads shaped for lists and gates."""

    def in_workspace(self, workspace: Workspace) -> EvidenceQuerySet:
        return self.filter(workspace=workspace)

    def complete(self) -> EvidenceQuerySet:
        return self.filter(state=Evidence.State.COMPLETE)

    def with_context(self) -> EvidenceQuerySet:
        """Everything a row of a list shows, in one query."""
        return self.select_related(
            "version__model", "baseline__model", "dataset", "endpoint", "job"
        )


class PredictionsFile(models.Model):
    """Scores of one version that somebody uploaded: no endpoint was asked.

    Stored as Parquet by its digest with the columns ``row`` (id as text, or index), ``score`` and
    whatever else came along (label, groups). Nothing in it is ever executed.
    """

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="+")
    dataset = models.ForeignKey(
        "registry.Dataset", models.PROTECT, null=True, blank=True, related_name="+"
    )
    digest = models.CharField(max_length=71, help_text="of the uploaded bytes")
    storage_name = models.CharField(max_length=200, help_text="server-made, from the digest")
    rows = models.BigIntegerField()
    columns = models.JSONField(default=list, help_text="names in the stored table")
    created_by_pid = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "dataset", "digest"],
                name="predictions_file_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"predictions of {self.version}"


class Evidence(models.Model):
    """One result about one version, from asked for to complete; complete rows never change.

    ``result`` by kind, see ``evaluation/results.py``. ``digest`` covers kind, origin, release
    digests, data digests, params, seed and result; it is null until complete.
    """

    class Kind(models.TextChoices):
        EVALUATION = "evaluation", "Evaluation"
        DIFFERENTIAL = "differential", "Differential"
        BENCHMARK = "benchmark", "Benchmark"
        LOAD = "load", "Load"
        EXPLANATION = "explanation", "Explanation"
        FAIRNESS = "fairness", "Fairness"
        ROBUSTNESS = "robustness", "Robustness"

    class Origin(models.TextChoices):
        MEASURED = "measured", "Measured at the endpoint"
        COMPUTED = "computed", "Computed from uploaded predictions"
        REPORTED = "reported", "Reported from outside"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        COMPLETE = "complete", "Complete"
        FAILED = "failed", "Could not be computed"
        CANCELLED = "cancelled", "Cancelled"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="evidence")
    kind = models.CharField(max_length=16, choices=Kind)
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.MEASURED)
    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="evidence")
    baseline = models.ForeignKey(
        "registry.ModelVersion",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="what a differential compares against: the live version",
    )
    dataset = models.ForeignKey(
        "registry.Dataset", models.PROTECT, null=True, blank=True, related_name="evidence"
    )
    endpoint = models.ForeignKey(
        "serving.Endpoint", models.PROTECT, null=True, blank=True, related_name="+"
    )
    baseline_endpoint = models.ForeignKey(
        "serving.Endpoint", models.PROTECT, null=True, blank=True, related_name="+"
    )
    predictions = models.ForeignKey(
        "evaluation.PredictionsFile", models.PROTECT, null=True, blank=True, related_name="+"
    )
    baseline_predictions = models.ForeignKey(
        "evaluation.PredictionsFile", models.PROTECT, null=True, blank=True, related_name="+"
    )
    params = models.JSONField(
        default=dict, help_text="label, groups, threshold, tolerances, budget"
    )
    seed = models.BigIntegerField(default=0)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    result = models.JSONField(default=dict)
    data_digests = models.JSONField(default=list)
    digest = models.CharField(max_length=71, null=True, blank=True)  # noqa: DJ001 - null until complete
    error_code = models.CharField(max_length=64, blank=True)
    error = models.CharField(max_length=1000, blank=True)
    job = models.ForeignKey("jobs.Job", models.PROTECT, null=True, blank=True, related_name="+")
    created_by_pid = models.CharField(max_length=64)
    created_by_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    completed_at = models.DateTimeField(null=True, blank=True)

    TERMINAL = frozenset({State.COMPLETE, State.FAILED, State.CANCELLED})

    objects = EvidenceQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "evidence"
        indexes = [
            models.Index(fields=["version", "kind", "state"], name="evidence_of_version"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="complete", digest__isnull=False, completed_at__isnull=False)
                | (~Q(state="complete") & Q(digest__isnull=True)),
                name="evidence_complete_has_digest",
            ),
            models.CheckConstraint(
                condition=~Q(kind="differential") | Q(baseline__isnull=False),
                name="evidence_differential_has_baseline",
            ),
            models.CheckConstraint(
                condition=~Q(kind="differential") | ~Q(baseline=F("version")),
                name="evidence_differential_has_two_versions",
            ),
            models.CheckConstraint(
                condition=~Q(state="failed") | (~Q(error_code="") & ~Q(error="")),
                name="evidence_failure_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.version}"

    @property
    def is_terminal(self) -> bool:
        return self.state in self.TERMINAL


class ScoredBatch(models.Model):
    """The scores of one batch of rows, so that a killed job goes on where it stood.

    Deleted when the evidence is complete. ``arm`` is ``candidate`` or ``baseline``.
    """

    evidence = models.ForeignKey(Evidence, models.CASCADE, related_name="batches")
    arm = models.CharField(max_length=16)
    index = models.PositiveIntegerField()
    rows = models.PositiveIntegerField()
    scores = models.BinaryField(help_text="little-endian float64")
    latency_ms = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["evidence", "arm", "index"], name="scored_batch_once")
        ]

    def __str__(self) -> str:
        return f"{self.arm} batch {self.index}"
