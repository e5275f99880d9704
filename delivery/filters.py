"""Filters of receipts and devices, the same for page and API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import django_filters
from django import forms

from delivery.fleet import STATES
from delivery.models import BatchReceipt, Device


class ReceiptFilter(django_filters.FilterSet):
    """By what came of it, where, which version and which run."""

    state = django_filters.ChoiceFilter(
        label="Came to", choices=BatchReceipt.State.choices, empty_label="All"
    )
    environment = django_filters.CharFilter(
        label="Environment", field_name="environment__name", max_length=64
    )
    version = django_filters.NumberFilter(
        label="Version", field_name="version__number", min_value=1, max_value=2**31 - 1
    )
    run_id = django_filters.CharFilter(
        label="Run",
        lookup_expr="icontains",
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search"}),
    )

    class Meta:
        model = BatchReceipt
        fields = ["run_id", "state", "environment", "version"]


class DeviceFilter(django_filters.FilterSet):
    """By name, ring, version, and what is the matter with it."""

    device_id = django_filters.CharFilter(
        label="Device",
        lookup_expr="startswith",
        max_length=128,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    ring = django_filters.CharFilter(label="Ring", max_length=32)
    version = django_filters.NumberFilter(
        label="Version", field_name="version__number", min_value=1, max_value=2**31 - 1
    )
    state = django_filters.ChoiceFilter(
        label="State", choices=list(STATES.items()), empty_label="All"
    )
    silent = django_filters.NumberFilter(
        label="Silent after, days", min_value=1, max_value=365, method="as_they_are"
    )

    class Meta:
        model = Device
        fields = ["device_id", "ring", "version", "state", "silent"]

    def as_they_are(self, queryset: Any, name: str, value: Any) -> Any:
        """It says what counts as silent, before there is anything to filter."""
        return queryset


def silent_days(query: Mapping[str, Any]) -> int | None:
    """After how many days a device counts as silent, where the question says so."""
    text = str(query.get("silent", ""))
    is_days = text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 365
    return int(text) if is_days else None
