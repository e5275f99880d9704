"""Filters of serving's lists."""

from __future__ import annotations

import django_filters

from serving.models import Endpoint


class EndpointFilter(django_filters.FilterSet):
    model = django_filters.CharFilter(
        label="Model", field_name="version__model__name", max_length=255
    )
    version = django_filters.NumberFilter(
        label="Version", field_name="version__number", min_value=1, max_value=2**31 - 1
    )
    state = django_filters.ChoiceFilter(label="State", choices=Endpoint.State.choices)

    class Meta:
        model = Endpoint
        fields = ["model", "version", "state"]
