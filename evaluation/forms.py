"""The form that asks for evidence; the service parses what it collects once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Q

from evaluation.params import MAX_SEED, OFFERED
from registry.models import Dataset, ModelVersion

if TYPE_CHECKING:
    from accounts.models import Workspace

_KINDS = {
    "evaluation": "Evaluation: how good are its scores?",
    "differential": "Differential: what changes against another version?",
    "fairness": "Fairness: are groups treated alike?",
    "explanation": "Explanation: what moves its scores?",
}


_FIRST = ("kind", "origin", "dataset", "baseline", "groups", "favourable", "rows", "predictions")


class AskForm(forms.Form):
    """One form for the four kinds; what a kind does not know is left empty."""

    kind = forms.ChoiceField(label="What to find out", choices=[(k, _KINDS[k]) for k in OFFERED])
    origin = forms.ChoiceField(
        label="Where the scores come from",
        choices=[
            ("measured", "Measured: ask the version’s endpoint"),
            ("computed", "Computed: from a predictions file"),
        ],
    )
    dataset = forms.ModelChoiceField(
        label="Dataset",
        empty_label="none",
        queryset=Dataset.objects.none(),
        required=False,
        help_text="Needed to measure; without one the predictions file brings its own labels.",
    )
    baseline = forms.ModelChoiceField(
        label="Compared with",
        queryset=ModelVersion.objects.none(),
        required=False,
        empty_label="the version that is live",
        help_text="Only for a differential.",
    )
    predictions = forms.FileField(
        label="Predictions",
        required=False,
        max_length=1000,
        help_text="CSV or Parquet with “score”, and “row” with the row’s id or number.",
    )
    baseline_predictions = forms.FileField(
        label="Predictions of the other version",
        required=False,
        max_length=1000,
        help_text="Only for a computed differential.",
    )
    groups = forms.CharField(
        label="Group columns",
        required=False,
        max_length=2000,
        help_text="For fairness (needed) and differential; separated by commas.",
    )
    favourable = forms.ChoiceField(
        label="In a person’s favour is",
        required=False,
        choices=[
            ("", "not asked"),
            ("positive", "a score at or above the threshold"),
            ("negative", "a score below the threshold"),
        ],
        help_text="Only for fairness: for a score of denial it is the score below.",
    )
    label_column = forms.CharField(
        label="Label column",
        required=False,
        max_length=255,
        help_text="The dataset’s own if empty.",
    )
    positive_label = forms.CharField(
        label="Positive label",
        required=False,
        max_length=255,
        help_text="Which value counts as positive, where labels are not 0 and 1.",
    )
    threshold = forms.FloatField(
        label="Decision threshold", required=False, help_text="The version’s own if empty."
    )
    max_rows = forms.IntegerField(
        label="At most this many rows",
        required=False,
        min_value=2,
        max_value=5_000_000,
        help_text="A seeded sample is drawn from more.",
    )
    rows = forms.CharField(
        label="Rows to explain",
        required=False,
        max_length=500,
        help_text="Row numbers from 0, separated by commas; only for an explanation.",
    )
    seed = forms.IntegerField(label="Seed", required=False, min_value=0, max_value=MAX_SEED)

    def __init__(self, *args: Any, version: ModelVersion, workspace: Workspace, **kwargs: Any):
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["dataset"].queryset = Dataset.objects.filter(
            workspace=workspace, state=Dataset.State.READY
        ).order_by("name")
        fields["baseline"].queryset = (
            ModelVersion.objects.filter(Q(model=version.model) | Q(pk=version.derived_from_id))
            .exclude(pk=version.pk)
            .select_related("model")
        )

    @property
    def first(self) -> list[forms.BoundField]:
        """What nearly everybody fills in."""
        return [self[name] for name in _FIRST]

    @property
    def more(self) -> list[forms.BoundField]:
        """The rest, folded away unless something in it is wrong."""
        return [self[name] for name in self.fields if name not in _FIRST]

    @property
    def more_is_open(self) -> bool:
        return any(field.errors or field.value() for field in self.more)

    def clean_rows(self) -> list[int]:
        parts = [part.strip() for part in self.cleaned_data["rows"].split(",") if part.strip()]
        if any(not part.isascii() or not part.isdigit() or len(part) > 12 for part in parts):
            raise forms.ValidationError("These are whole numbers separated by commas.")
        return [int(part) for part in parts]

    def clean_groups(self) -> list[str]:
        return [part.strip() for part in self.cleaned_data["groups"].split(",") if part.strip()]

    def params(self) -> dict[str, Any]:
        """What the service's parser takes, by kind."""
        given = self.cleaned_data
        kind = given["kind"]
        found: dict[str, Any] = {"threshold": given["threshold"]}
        if kind != "explanation":
            for name in ("label_column", "positive_label", "max_rows"):
                found[name] = given[name] or None
        if kind == "fairness":
            found["groups"] = given["groups"] or None
            found["favourable"] = given["favourable"] or None
        if kind == "differential":
            found["segments"] = given["groups"] or None
        if kind == "explanation":
            found["rows"] = given["rows"] or None
        return {name: value for name, value in found.items() if value is not None}
