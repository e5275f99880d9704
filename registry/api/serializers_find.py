"""What the search and saved views take and give."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from common.api.serializers import StrictSerializer
from registry.fulltext import find
from registry.fulltext.words import MOST_CHARACTERS
from registry.models import Consumption, Kind, SavedView
from registry.needs import needs


class SearchQuery(StrictSerializer):
    q = serializers.CharField(
        max_length=MOST_CHARACTERS,
        required=False,
        allow_blank=True,
        help_text="words, “phrases”, -without, or; words match from their beginning",
    )
    type = serializers.ChoiceField(
        choices=[(sort, sort) for sort in find.SORTS], required=False, help_text="all, if left out"
    )
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    tier = serializers.IntegerField(min_value=1, max_value=3, required=False)
    owner = serializers.CharField(max_length=254, required=False)
    live = serializers.CharField(max_length=64, required=False, help_text="an environment")
    tag = serializers.CharField(
        max_length=MOST_CHARACTERS, required=False, help_text="key, or key=value"
    )
    consumption = serializers.ChoiceField(choices=Consumption.choices, required=False)
    needs = serializers.CharField(max_length=32, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=100, required=False)
    cursor = serializers.IntegerField(min_value=0, max_value=find.MOST * 3, required=False)

    def validate_needs(self, value: str) -> str:
        known = [need.key for need in needs()]
        if value not in known:
            raise serializers.ValidationError(f"One of {', '.join(known)}.")
        return value

    def question(self) -> find.Question:
        given = {key: str(value) for key, value in self.validated_data.items()}
        text = given.pop("q", "")
        for key in ("type", "limit", "cursor"):
            given.pop(key, None)
        return find.Question(text, given)


class ExcerptOut(serializers.Serializer[Any]):
    field = serializers.CharField()
    text = serializers.CharField()
    marks = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="[start, end) of each hit in text, in characters",
    )


class SearchHitOut(serializers.Serializer[Any]):
    type = serializers.CharField()
    name = serializers.CharField(help_text="of the model or dataset")
    version = serializers.IntegerField(allow_null=True)
    digest = serializers.CharField(allow_blank=True)
    rank = serializers.FloatField()
    live = serializers.ListField(child=serializers.CharField(), help_text="environments")
    excerpts = ExcerptOut(many=True)
    url = serializers.CharField()


class SearchTotalOut(serializers.Serializer[Any]):
    type = serializers.CharField()
    total = serializers.IntegerField()
    more = serializers.BooleanField(help_text="there are more, which were not looked at")


class SearchOut(serializers.Serializer[Any]):
    totals = SearchTotalOut(many=True)
    results = SearchHitOut(many=True)
    next = serializers.CharField(allow_null=True)


class SavedViewIn(StrictSerializer):
    name = serializers.CharField(max_length=100)
    page = serializers.ChoiceField(choices=SavedView.Page.choices, required=False)
    query = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    is_shared = serializers.BooleanField(required=False)


class SavedViewPatch(StrictSerializer):
    name = serializers.CharField(max_length=100, required=False)
    is_shared = serializers.BooleanField(required=False)


class SavedViewOut(serializers.ModelSerializer[SavedView]):
    owner = serializers.CharField(source="owner.email")

    class Meta:
        model = SavedView
        fields = ["uid", "name", "page", "query", "is_shared", "owner", "created_at"]
