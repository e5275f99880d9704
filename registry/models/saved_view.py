"""A search that somebody wants to see again."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from common.ids import uuid7


class SavedView(models.Model):
    """A name for the filters in a page's URL; shared ones are seen by the whole workspace."""

    class Page(models.TextChoices):
        INVENTORY = "inventory", "Inventory"
        SEARCH = "search", "Search"

    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", models.PROTECT, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    page = models.CharField(max_length=16, choices=Page, default=Page.INVENTORY)
    query = models.CharField(max_length=2000, blank=True, help_text="the URL's query string")
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "owner", "page", "name"], name="saved_view_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name
