"""What a list of evidence can be narrowed by, on the page and in the API alike."""

from __future__ import annotations

import django_filters

from evaluation.models import Evidence


class EvidenceFilter(django_filters.FilterSet):
    """By kind, state, origin, and by the names of what it is about."""

    kind = django_filters.ChoiceFilter(
        choices=Evidence.Kind.choices, label="Kind", empty_label="All"
    )
    state = django_filters.ChoiceFilter(
        choices=Evidence.State.choices, label="State", empty_label="All"
    )
    origin = django_filters.ChoiceFilter(
        choices=Evidence.Origin.choices, label="Origin", empty_label="All"
    )
    model = django_filters.CharFilter(
        field_name="version__model__name", max_length=255, label="Model"
    )
    version = django_filters.NumberFilter(
        field_name="version__number", label="Version", min_value=0, max_value=2**31 - 1
    )
    dataset = django_filters.CharFilter(field_name="dataset__name", max_length=255, label="Dataset")

    class Meta:
        model = Evidence
        fields = ("kind", "state", "origin", "model", "version", "dataset")
