"""Forms about those who run a model themselves."""

from __future__ import annotations

from typing import Any

from django import forms

from delivery.models import LearningPlan
from registry import selectors as registry
from registry.models import ModelVersion, RegisteredModel

UNITS = [("60", "minutes"), ("3600", "hours"), ("86400", "days")]


class VersionField(forms.ModelChoiceField):
    def label_from_instance(self, obj: ModelVersion) -> str:  # type: ignore[override]
        return f"Version {obj.number}"


class RecallForm(forms.Form):
    version = VersionField(queryset=ModelVersion.objects.none(), empty_label="Choose …")
    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Everybody who asks what is current is told.",
    )

    def __init__(self, *args: Any, model: RegisteredModel, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].queryset = registry.versions_for(model)  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class RingsForm(forms.Form):
    rings = forms.CharField(
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "mono"}),
        help_text="One a line: its name and its share in percent, such as “canary 5”. The first"
        " gets a new version first; shares make up 100. Nothing: everybody at once.",
    )

    def clean_rings(self) -> list[dict[str, Any]]:
        found = []
        for number, line in enumerate(self.cleaned_data["rings"].splitlines(), start=1):
            if not line.strip():
                continue
            name, _, share = line.strip().replace("%", " ").rstrip().rpartition(" ")
            if not name or not share.isascii() or not share.isdigit() or len(share) > 3:
                raise forms.ValidationError(f"Line {number}: a name and a share, please.")
            found.append({"name": name.strip(), "share": int(share)})
        return found


class PlanForm(forms.Form):
    how = forms.ChoiceField(choices=LearningPlan.How.choices, label="How")
    url = forms.CharField(
        max_length=2000,
        label="URL",
        help_text="Where its state is read, or who is told that a snapshot is due.",
    )
    every = forms.IntegerField(min_value=1, max_value=100_000, label="Every", initial=1)
    unit = forms.ChoiceField(choices=UNITS, label="Unit", initial="86400")
    secret = forms.CharField(
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Signs what a hook is sent: 16 characters or more.",
    )

    def plan(self) -> dict[str, Any]:
        """What the service takes."""
        data = self.cleaned_data
        return {
            "how": data["how"],
            "url": data["url"],
            "every_seconds": data["every"] * int(data["unit"]),
            "secret": data["secret"],
        }


class FallbackForm(forms.Form):
    version = VersionField(queryset=ModelVersion.objects.none(), empty_label="Choose …")
    reason = forms.CharField(max_length=500, required=False)

    def __init__(self, *args: Any, model: RegisteredModel, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = registry.environments(model.workspace).values("alias")
        once = registry.versions_for(model).filter(aliases__name__in=places).distinct()
        self.fields["version"].queryset = once  # type: ignore[attr-defined]
