"""What comes into the model card's API and what goes out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from common.api.serializers import StrictSerializer
from registry import cards
from registry.api.serializers import PersonOut


class CardIn(StrictSerializer):
    sections = serializers.DictField(
        child=serializers.CharField(
            max_length=cards.MAX_SECTION, allow_blank=True, trim_whitespace=False
        ),
        help_text="Markdown by section: " + ", ".join(cards.BY_KEY),
    )
    revision = serializers.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        help_text="the revision it was written on top of, 0 for none; or send If-Match",
    )


class CardRevisionOut(serializers.Serializer[Any]):
    """One state of a card."""

    revision = serializers.IntegerField(source="number")
    digest = serializers.CharField()
    edited_by = PersonOut()
    created_at = serializers.DateTimeField()
    sections = serializers.DictField(child=serializers.CharField())


class CardOut(serializers.Serializer[Any]):
    """A version's card as it is now; ``revision`` 0 while nobody has written one."""

    model = serializers.CharField()
    version = serializers.IntegerField()
    revision = serializers.IntegerField()
    digest = serializers.CharField(allow_blank=True)
    edited_by = PersonOut(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)
    sections = serializers.DictField(child=serializers.CharField())
    required = serializers.ListField(  # type: ignore[assignment]
        child=serializers.CharField(), help_text="sections that the model's tier and kind ask for"
    )
    missing = serializers.ListField(child=serializers.CharField(), help_text="in words")
    is_complete = serializers.BooleanField()
