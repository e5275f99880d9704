"""A team's own inventory: everything else belongs to exactly one."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now


class Workspace(models.Model):
    """A team's own inventory of models, policies, endpoints and monitors."""

    slug = models.CharField(
        max_length=64, unique=True, validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$")]
    )
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(slug__regex=r"^[a-z0-9][a-z0-9-]*$"),
                name="workspace_slug_is_a_slug",
            )
        ]

    def __str__(self) -> str:
        return self.name
