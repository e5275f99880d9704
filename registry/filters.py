"""Filters of the registry's lists, the same for page and API."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import Q, QuerySet

from registry import selectors
from registry.models import Dataset, Kind, RegisteredModel

ANY = "Anything"


class ModelFilter(django_filters.FilterSet):
    """By words, tier, kind, and what a model needs done."""

    q = django_filters.CharFilter(
        label="Search",
        method="by_text",
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": "name, purpose, owner, tag"}
        ),
    )
    tier = django_filters.ChoiceFilter(
        label="Tier", choices=[("1", "1, high"), ("2", "2"), ("3", "3, low")], empty_label="All"
    )
    kind = django_filters.ChoiceFilter(label="Kind", choices=Kind.choices, empty_label="All")
    needs = django_filters.ChoiceFilter(
        label="Needs",
        method="by_need",
        empty_label=ANY,
        choices=[
            ("version", "a first version"),
            ("promotion", "a decision: newest is not live"),
            ("purpose", "a purpose"),
            ("author", "an author mapped"),
        ],
    )

    class Meta:
        model = RegisteredModel
        fields = ["q", "tier", "kind", "needs"]

    def by_text(
        self, queryset: QuerySet[RegisteredModel], name: str, value: str
    ) -> QuerySet[RegisteredModel]:
        return selectors.search(queryset, value)

    def by_need(
        self, queryset: QuerySet[RegisteredModel], name: str, value: str
    ) -> QuerySet[RegisteredModel]:
        return selectors.needing(queryset, value)


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
