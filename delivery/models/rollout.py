"""A rollout: the job that carries an approved request into production, step by step, or back."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class Rollout(models.Model):
    """One approved version on its way onto a route.

    ``reference`` names the approval (``promotion:<uid>``); ``Authority`` is asked about it again
    before every step. At rest, succeeded means gateway = registry = ``to_version``, rolled_back
    and failed mean gateway = registry = ``from_version``; anything else says needs_operator.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        ROLLING_BACK = "rolling_back", "Rolling back"
        SUCCEEDED = "succeeded", "Succeeded"
        ROLLED_BACK = "rolled_back", "Rolled back"
        FAILED = "failed", "Failed before any traffic moved"
        NEEDS_OPERATOR = "needs_operator", "Needs an operator"

    UNFINISHED = ("queued", "running", "paused", "rolling_back", "needs_operator")

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="rollouts")
    route = models.ForeignKey("delivery.Route", models.PROTECT, related_name="rollouts")
    reference = models.CharField(max_length=200)
    release_digest = models.CharField(max_length=71)
    from_version = models.ForeignKey(
        "registry.ModelVersion", models.PROTECT, null=True, blank=True, related_name="+"
    )
    to_version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="rollouts")
    plan = models.JSONField()
    workings = models.JSONField(
        default=dict, help_text="targets chosen, state of the sequential tests, the way back"
    )
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    reason = models.CharField(max_length=1000, blank=True, help_text="why it paused or went back")
    pause_requested = models.BooleanField(default=False)
    abort_requested = models.BooleanField(default=False)
    abort_reason = models.CharField(max_length=500, blank=True)
    checkpoint_size = models.BigIntegerField(
        null=True, blank=True, help_text="tree size of the checkpoint that sealed the approvals"
    )
    job = models.ForeignKey("jobs.Job", models.PROTECT, null=True, blank=True, related_name="+")
    started_by_pid = models.CharField(max_length=64)
    started_by_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["route"],
                condition=Q(
                    state__in=["queued", "running", "paused", "rolling_back", "needs_operator"]
                ),
                name="rollout_one_unfinished_per_route",
            ),
            models.UniqueConstraint(
                fields=["reference"],
                condition=Q(
                    state__in=[
                        "queued",
                        "running",
                        "paused",
                        "rolling_back",
                        "needs_operator",
                        "succeeded",
                    ]
                ),
                name="rollout_one_use_of_an_approval",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.to_version} onto {self.route}"

    @property
    def is_finished(self) -> bool:
        return self.state in {
            self.State.SUCCEEDED,
            self.State.ROLLED_BACK,
            self.State.FAILED,
        }

    @property
    def is_at_rest(self) -> bool:
        """Nothing happens any more unless a person does something."""
        return self.is_finished or self.state == self.State.NEEDS_OPERATOR


class RolloutStep(models.Model):
    """One share of the traffic, held until enough answers say that nothing is worse."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waits"
        SETTING = "setting", "Setting weights"
        RUNNING = "running", "Running"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"

    rollout = models.ForeignKey(Rollout, models.CASCADE, related_name="steps")
    index = models.PositiveSmallIntegerField()
    weight = models.PositiveSmallIntegerField(help_text="percent wanted for the new version")
    min_answers = models.PositiveIntegerField(help_text="answers of the new version to wait for")
    min_seconds = models.PositiveIntegerField(default=0)
    max_seconds = models.PositiveIntegerField(default=3600)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    revision = models.BigIntegerField(
        null=True, blank=True, help_text="gateway revision it asked for"
    )
    baseline = models.JSONField(default=dict, help_text="the raw counters at the last look")
    measured = models.JSONField(
        default=dict, help_text="sums since its weights were applied, per arm"
    )
    verdict = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    clock_from = models.DateTimeField(
        null=True, blank=True, help_text="its time counts from here: asked for, applied or resumed"
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["index"]
        constraints = [
            models.UniqueConstraint(fields=["rollout", "index"], name="rollout_step_once"),
            models.CheckConstraint(
                condition=Q(weight__range=(1, 100)), name="rollout_step_weight_is_percent"
            ),
        ]

    def __str__(self) -> str:
        return f"step {self.index + 1}: {self.weight} %"


class RolloutSample(models.Model):
    """One look at the counters, for the page's pictures and for the sequential test.

    Counts are since the step's weights were applied. ``log_e_*`` is natural-log evidence.
    """

    step = models.ForeignKey(RolloutStep, models.CASCADE, related_name="samples")
    at = models.DateTimeField(db_default=Now())
    candidate = models.JSONField(help_text="{answers, errors, timed, slow, p50_ms, p99_ms}")
    stable = models.JSONField(help_text="the same for the version that was live")
    log_e_errors = models.FloatField(default=0.0)
    log_e_slow = models.FloatField(default=0.0)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"sample {self.pk}"
