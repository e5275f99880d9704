"""Filters of the registry's lists, the same for page and API."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import Q, QuerySet

from registry import selectors
from registry.fulltext.words import MOST_CHARACTERS
from registry.models import Consumption, Dataset, Kind, RegisteredModel
from registry.narrowing import narrow_models
from registry.needs import needs

ANY = "Anything"


class ModelFilter(django_filters.FilterSet):
    """By words, tier, kind, owner, where it is live, tag, consumption, and what it needs."""

    q = django_filters.CharFilter(
        label="Search",
        method="by_text",
        max_length=MOST_CHARACTERS,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": "name, purpose, owner, tag"}
        ),
    )
    tier = django_filters.ChoiceFilter(
        label="Tier", choices=[("1", "1, high"), ("2", "2"), ("3", "3, low")], empty_label="All"
    )
    kind = django_filters.ChoiceFilter(label="Kind", choices=Kind.choices, empty_label="All")
    owner = django_filters.CharFilter(label="Owner", method="narrowed", max_length=254)
    live = django_filters.CharFilter(
        label="Live in",
        method="narrowed",
        max_length=64,
        widget=forms.TextInput(attrs={"placeholder": "production"}),
    )
    tag = django_filters.CharFilter(
        label="Tag",
        method="narrowed",
        max_length=MOST_CHARACTERS,
        widget=forms.TextInput(attrs={"placeholder": "team=retail"}),
    )
    consumption = django_filters.ChoiceFilter(
        label="Consumption", method="narrowed", choices=Consumption.choices, empty_label="All"
    )
    needs = django_filters.ChoiceFilter(
        label="Needs",
        method="narrowed",
        empty_label=ANY,
        choices=lambda: [(need.key, need.label) for need in needs()],
    )

    class Meta:
        model = RegisteredModel
        fields = ["q", "tier", "kind", "owner", "live", "tag", "consumption", "needs"]

    def by_text(
        self, queryset: QuerySet[RegisteredModel], name: str, value: str
    ) -> QuerySet[RegisteredModel]:
        return selectors.search(queryset, value)

    def narrowed(
        self, queryset: QuerySet[RegisteredModel], name: str, value: str
    ) -> QuerySet[RegisteredModel]:
        if self.request is None:  # the API's description is made without a request
            return queryset
        workspace = self.request.caller.workspace  # type: ignore[attr-defined]
        return narrow_models(queryset, {name: value}, workspace)


class DatasetFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label="Search",
        method="by_text",
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "name or description"}),
    )

    class Meta:
        model = Dataset
        fields = ["q"]

    def by_text(self, queryset: QuerySet[Dataset], name: str, value: str) -> QuerySet[Dataset]:
        return queryset.filter(Q(name__icontains=value) | Q(description__icontains=value))
