"""Filters of requests and findings, the same for pages and the API."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone

from governance.models import Finding, PromotionRequest


class PromotionRequestFilter(django_filters.FilterSet):
    """By status, model and environment."""

    status = django_filters.ChoiceFilter(
        choices=PromotionRequest.Status.choices, empty_label="any status"
    )
    model = django_filters.CharFilter(field_name="model__name", max_length=255)
    environment = django_filters.CharFilter(field_name="environment__name", max_length=64)

    class Meta:
        model = PromotionRequest
        fields = ("status", "model", "environment")


class FindingFilter(django_filters.FilterSet):
    """By state, severity, model, and whether the date has passed."""

    state = django_filters.ChoiceFilter(
        choices=Finding.State.choices, empty_label="open and closed"
    )
    severity = django_filters.ChoiceFilter(
        choices=Finding.Severity.choices, empty_label="any severity"
    )
    model = django_filters.CharFilter(field_name="model__name", max_length=255)
    overdue = django_filters.BooleanFilter(method="filter_overdue", label="Overdue")

    class Meta:
        model = Finding
        fields = ("state", "severity", "model", "overdue")

    def filter_overdue(
        self, queryset: QuerySet[Finding], name: str, value: bool
    ) -> QuerySet[Finding]:
        late: dict[str, Any] = {"state": Finding.State.OPEN, "due_on__lt": timezone.now().date()}
        return queryset.filter(**late) if value else queryset.exclude(**late)
