"""The filter of the list of artifacts, the same for page and API."""

from __future__ import annotations

import django_filters
from django import forms
from django.db.models import Q, QuerySet

from registry.artifacts.formats import BY_KEY
from registry.models import Artifact

FORMATS = sorted(((one.key, one.label) for one in BY_KEY.values()), key=lambda it: it[1].lower())


class ArtifactFilter(django_filters.FilterSet):
    """By words of the name, the beginning of the digest, format, state, and what runs code."""

    q = django_filters.CharFilter(
        label="Search",
        method="by_text",
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "name or SHA-256"}),
    )
    # Not “format”: REST framework keeps that word for the form of its answers.
    file_format = django_filters.ChoiceFilter(
        field_name="format", label="Format", choices=FORMATS, empty_label="All"
    )
    state = django_filters.ChoiceFilter(
        label="State", choices=Artifact.State.choices, empty_label="All"
    )
    is_executable = django_filters.BooleanFilter(
        label="Executable",
        widget=forms.Select(choices=[("", "All"), ("true", "Yes"), ("false", "No")]),
    )

    class Meta:
        model = Artifact
        fields = ["q", "file_format", "state", "is_executable"]

    def by_text(self, queryset: QuerySet[Artifact], name: str, value: str) -> QuerySet[Artifact]:
        digest = value.removeprefix("sha256:").lower()
        return queryset.filter(Q(name__icontains=value) | Q(sha256__startswith=digest))
