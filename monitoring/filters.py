"""Filters of rules and alerts; no lookups through relations but the monitor's own id."""

from __future__ import annotations

import django_filters

from monitoring.models import Alert, AlertRule


class RuleFilter(django_filters.FilterSet):
    monitor = django_filters.UUIDFilter(field_name="monitor__uid")
    kind = django_filters.ChoiceFilter(choices=AlertRule.Kind.choices)

    class Meta:
        model = AlertRule
        fields = ("monitor", "kind")


class AlertFilter(django_filters.FilterSet):
    monitor = django_filters.UUIDFilter(field_name="monitor__uid")
    state = django_filters.ChoiceFilter(choices=Alert.State.choices)

    class Meta:
        model = Alert
        fields = ("monitor", "state")
