"""What each gate of a frozen policy says about a request or a new version, with its figures."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Gate(models.Model):
    """One gate's answer, and the figures that it rests on.

    ``lower`` and ``upper`` are the 95 % interval of ``observed``; ``live_value`` is the same
    figure for the version that is live. All in the metric's own unit, shares as 0 to 1.
    """

    class State(models.TextChoices):
        PASSES = "passes", "Passes"
        FAILS = "fails", "Fails"
        COULD_NOT_COMPUTE = "could_not_compute", "Could not be computed"
        NOT_APPLICABLE = "not_applicable", "Not applicable"
        WAITING = "waiting", "Waiting"

    class Severity(models.TextChoices):
        BLOCK = "block", "Blocks"
        WARN = "warn", "Warns"

    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=300, help_text="the condition as the policy words it")
    title = models.CharField(max_length=300, help_text="the same for a reader")
    metric = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.WAITING)
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.BLOCK)
    comparison = models.CharField(max_length=2, blank=True)
    observed = models.FloatField(null=True, blank=True)
    lower = models.FloatField(null=True, blank=True)
    upper = models.FloatField(null=True, blank=True)
    limit = models.FloatField(null=True, blank=True)
    live_value = models.FloatField(null=True, blank=True)
    is_worse_than_live = models.BooleanField(default=False)
    explanation = models.TextField(blank=True, help_text="one or two sentences for a reader")
    remedy = models.TextField(blank=True, help_text="what would turn it green")
    evidence = models.ForeignKey(
        "evaluation.Evidence", models.PROTECT, null=True, blank=True, related_name="+"
    )
    evaluated_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"

    @property
    def blocks(self) -> bool:
        """Whether it keeps the request from being approved now."""
        return self.severity == self.Severity.BLOCK and self.state not in {
            self.State.PASSES,
            self.State.NOT_APPLICABLE,
        }


class GateResult(Gate):
    """A request's gate; written again whenever evidence arrives, frozen when the request closes."""

    promotion = models.ForeignKey(
        "governance.PromotionRequest", models.PROTECT, related_name="gates"
    )

    class Meta(Gate.Meta):
        constraints = [
            models.UniqueConstraint(fields=["promotion", "position"], name="gate_position_once"),
            models.CheckConstraint(
                condition=Q(
                    state__in=["passes", "fails", "could_not_compute", "not_applicable", "waiting"]
                ),
                name="gate_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(severity__in=["block", "warn"]), name="gate_severity_is_known"
            ),
        ]
