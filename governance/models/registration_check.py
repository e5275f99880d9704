"""What the policy's gates say about a new version, before anybody asked to promote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7
from governance.models.gate_result import Gate

if TYPE_CHECKING:
    from governance.models.policy import PolicyRevision
    from registry.models import Environment


class RegistrationCheck(models.Model):
    """One version looked at under the policy of the last environment that has one for it.

    It needs no promotion request and signs nothing. Where the model is gated at registration
    (``is_gated``, as it was then) what comes out settles the version's status, too; until
    ``deadline_at``, by the database's clock, the version waits for that.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Evidence is running"
        PASSES = "passes", "Passes"
        FAILS = "fails", "Fails"
        COULD_NOT_COMPUTE = "could_not_compute", "Could not be computed"
        NO_POLICY = "no_policy", "No policy applies"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    version = models.OneToOneField(
        "registry.ModelVersion", models.PROTECT, related_name="registration_check"
    )
    environment = models.ForeignKey(
        "registry.Environment", models.PROTECT, null=True, blank=True, related_name="+"
    )
    policy_revision = models.ForeignKey(
        "governance.PolicyRevision",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="the newest one when this run began; null when none is for this model",
    )
    live_version = models.ForeignKey(
        "registry.ModelVersion",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="what it was last compared with",
    )
    is_gated = models.BooleanField(default=False, help_text="whether it settles the status")
    state = models.CharField(max_length=20, choices=State, default=State.RUNNING)
    runs = models.PositiveIntegerField(default=1, help_text="how often it was begun")
    refusals: Any = models.JSONField(
        default=dict, help_text="why evidence could not be asked for, by “kind on dataset”"
    )
    begun_at = models.DateTimeField(db_default=Now())
    deadline_at = models.DateTimeField(help_text="when a version that waits is answered anyway")
    evaluated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    state__in=["running", "passes", "fails", "could_not_compute", "no_policy"]
                ),
                name="check_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state="no_policy", policy_revision=None, environment=None)
                | Q(policy_revision__isnull=False, environment__isnull=False)
                & ~Q(state="no_policy"),
                name="check_policy_is_whole",
            ),
            models.CheckConstraint(condition=Q(runs__gte=1), name="check_runs_is_positive"),
        ]
        indexes = [
            models.Index(
                fields=["deadline_at"],
                condition=Q(state__in=["running", "could_not_compute"]),
                name="check_unsettled",
            )
        ]

    def __str__(self) -> str:
        return f"registration check of {self.version}"

    @property
    def terms(self) -> tuple[PolicyRevision, Environment] | None:
        """The policy that it is judged by, and for where; None when none is for this model."""
        if self.policy_revision is None or self.environment is None:
            return None
        return self.policy_revision, self.environment


class CheckGate(Gate):
    """A check's gate; written again with every evaluation."""

    check_run = models.ForeignKey(RegistrationCheck, models.PROTECT, related_name="gates")

    class Meta(Gate.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["check_run", "position"], name="check_gate_position_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=["passes", "fails", "could_not_compute", "not_applicable", "waiting"]
                ),
                name="check_gate_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(severity__in=["block", "warn"]), name="check_gate_severity_is_known"
            ),
        ]
