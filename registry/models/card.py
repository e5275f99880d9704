"""Model cards: structured sections in Markdown, every revision kept."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class CardRevision(models.Model):
    """One state of a version's card. ``sections`` is ``{key: Markdown}``, keys as in ``cards``.

    Whoever edits a card becomes an author of the version (role ``card_editor``).
    """

    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="cards")
    number = models.PositiveIntegerField()
    sections = models.JSONField(default=dict)
    digest = models.CharField(max_length=71)
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["version", "number"], name="card_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="card_number_is_positive"),
        ]

    def __str__(self) -> str:
        return f"card {self.number} of {self.version}"
