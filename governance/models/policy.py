"""Policies: what must be true, and who must sign, before a version reaches an environment."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.ids import uuid7


class Policy(models.Model):
    """A named series of revisions; the newest one applies to requests opened from now on."""

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="policies")
    name = models.CharField(max_length=255)
    next_revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="policy_name_once"),
            models.CheckConstraint(condition=~Q(name=""), name="policy_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class PolicyRevision(models.Model):
    """One immutable wording of a policy; a request freezes the one it was opened under.

    ``body`` is the parsed policy (see ``governance/gates/policy_text.py`` for its keys), which
    ``digest`` covers; ``source`` is the text as somebody wrote it. A trigger refuses changes.
    """

    policy = models.ForeignKey(Policy, models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    source = models.TextField(help_text="YAML or JSON as written")
    body: Any = models.JSONField()
    digest = models.CharField(max_length=71)
    tiers = ArrayField(models.PositiveSmallIntegerField(), help_text="materiality tiers it is for")
    environment = models.CharField(max_length=64, help_text="name of the environment it is for")
    kinds = ArrayField(models.CharField(max_length=16), help_text="model kinds; empty means all")
    created_by_pid = models.CharField(max_length=64)
    created_by_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["policy_id", "-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["policy", "number"], name="policy_revision_number_once"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1), name="policy_revision_number_is_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy.name}, revision {self.number}"

    @property
    def words(self) -> str:
        return f"Revision {self.number}"
