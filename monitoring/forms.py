"""Forms of monitoring's pages."""

from __future__ import annotations

from typing import Any

from django import forms

from monitoring import selectors
from monitoring.models import AlertRule, Monitor
from monitoring.models.alert import MAX_NOTE
from registry import selectors as registry

MUTES = (("1", "for a day"), ("7", "for a week"), ("30", "for 30 days"), ("0", "no longer"))
MOST_CHOICES = 500


class MonitorForm(forms.Form):
    """What to watch, and against what; a column's wrong name is answered beside its field."""

    name = forms.CharField(max_length=255, help_text="Such as “flight-delay, production”.")
    version = forms.ChoiceField(label="Version", help_text="Whose scores the reference holds.")
    environment = forms.ChoiceField()
    reference = forms.ChoiceField(
        help_text="A dataset with the features and the version's scores, better with labels too."
    )
    score_column = forms.CharField(max_length=255, initial="score")
    label_column = forms.CharField(
        max_length=255,
        required=False,
        help_text="0 or 1. Without it there is drift, but no performance.",
    )
    id_column = forms.CharField(
        max_length=255, help_text="In the predictions; labels are joined on it."
    )
    time_column = forms.CharField(max_length=255, help_text="In the predictions.")
    window = forms.ChoiceField(choices=Monitor.WindowKind.choices)

    def __init__(self, *args: Any, workspace: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = selectors.watchable_versions(workspace)[:MOST_CHOICES]
        self._choose("version", [(str(it.uid), f"{it.model.name} {it.number}") for it in versions])
        self._choose("environment", [(e.name, e.name) for e in registry.environments(workspace)])
        ready = registry.datasets_for(workspace).filter(state="ready")[:MOST_CHOICES]
        self._choose("reference", [(it.name, f"{it.name} ({it.rows:,} rows)") for it in ready])

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices


class RuleForm(forms.Form):
    """A new rule; made switched off unless ticked, so that it can be tried first."""

    name = forms.CharField(max_length=200)
    metric = forms.ChoiceField(choices=AlertRule.Metric.choices)
    threshold = forms.FloatField(
        initial=0.1, help_text="PSI above it; AUC or accuracy at or below; a loss at or above."
    )
    k = forms.IntegerField(min_value=1, max_value=30, initial=2, label="In so many windows …")
    n = forms.IntegerField(min_value=1, max_value=30, initial=3, label="… of the last")
    min_rows = forms.IntegerField(
        min_value=1, max_value=2_000_000_000, initial=200, label="Least rows (labels) a window"
    )
    severity = forms.ChoiceField(choices=AlertRule.Severity.choices, initial="high")
    is_active = forms.BooleanField(required=False, label="Switch it on at once")

    def content(self) -> dict[str, Any]:
        """What the service takes."""
        given = dict(self.cleaned_data)
        drift = given["metric"] == AlertRule.Metric.PSI
        given["kind"] = AlertRule.Kind.DRIFT if drift else AlertRule.Kind.PERFORMANCE
        return given


class BacktestForm(forms.Form):
    """Other numbers for a rule; in the address, so that a back-test can be shown to others."""

    threshold = forms.FloatField(required=False)
    k = forms.IntegerField(required=False, min_value=1, max_value=30, label="In so many windows …")
    n = forms.IntegerField(required=False, min_value=1, max_value=30, label="… of the last")

    def instead(self) -> dict[str, Any]:
        """What was given."""
        return {name: value for name, value in self.cleaned_data.items() if value is not None}


class NoteForm(forms.Form):
    """What a person adds when taking an alert on, or closing it."""

    note = forms.CharField(
        max_length=MAX_NOTE,
        required=False,
        label="Note (kept)",
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class MuteForm(forms.Form):
    days = forms.ChoiceField(choices=MUTES, label="Mute its rule")
