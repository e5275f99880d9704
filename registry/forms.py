"""Forms of the registry's pages; they read what people type, services decide."""

from __future__ import annotations

import json
from typing import Any, cast

from django import forms

from accounts.models import User
from accounts.selectors import people
from registry import selectors
from registry.forms_lineage import link_of, numbered
from registry.models import (
    Consumption,
    Dataset,
    Derivation,
    Kind,
    RegisteredModel,
    VersionLink,
)
from registry.release import ReleaseInput
from registry.semver import MAX_SEMANTIC

TEXT = 10_000


class Lines(forms.CharField):
    """One thing a line; blank lines do not count."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return [line.strip() for line in text.splitlines() if line.strip()]

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise forms.ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        super().run_validators("\n".join(value))


class PersonField(forms.ModelChoiceField):
    def label_from_instance(self, obj: User) -> str:  # type: ignore[override]
        return f"{obj} ({obj.email})" if obj.name else obj.email


class ModelForm(forms.Form):
    name = forms.CharField(
        max_length=255,
        strip=False,
        help_text="How everybody calls it, also in addresses: no slash. It stays for good.",
    )
    purpose = forms.CharField(
        max_length=TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What it is used for, and what for not.",
    )
    kind = forms.ChoiceField(
        choices=Kind.choices, help_text="What it answers; decides which evidence applies."
    )
    tier = forms.TypedChoiceField(
        label="Materiality tier",
        coerce=int,
        initial=2,
        choices=[(1, "1, high: an error costs much"), (2, "2"), (3, "3, low")],
        help_text="Policies ask more of a higher tier.",
    )
    owner = PersonField(
        queryset=User.objects.none(), help_text="Who answers for it. Needs a role here."
    )
    description = forms.CharField(
        max_length=TEXT, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, workspace: Any, model: RegisteredModel | None = None, **kw: Any):
        super().__init__(*args, **kw)
        owner = cast("PersonField", self.fields["owner"])
        owner.queryset = people(workspace).filter(is_active=True)
        if model is not None:
            del self.fields["name"]
            owner.queryset |= User.objects.filter(pk=model.owner_id)


class VersionForm(forms.Form):
    """A release by hand; CI sends the same by REST."""

    semantic_version = forms.CharField(
        max_length=MAX_SEMANTIC,
        required=False,
        label="Semantic version",
        help_text="Such as 2.1.0 or 2.1.0-rc.1; stands beside the number, once a model.",
    )
    artifacts = Lines(
        max_length=100_000,
        required=False,
        label="Artifacts",
        help_text="One a line: name, SHA-256 and size in bytes, with blanks between.",
    )
    source = forms.CharField(
        max_length=1024,
        required=False,
        help_text="Where it lies. Kept as text and never opened.",
    )
    run_id = forms.CharField(max_length=64, required=False, label="Training run")
    git_commit = forms.CharField(max_length=64, required=False, label="Commit")
    git_authors = Lines(
        max_length=20_000,
        required=False,
        label="Authors in git",
        help_text="E-mail addresses, one a line. An author cannot sign for this version.",
    )
    consumption = forms.ChoiceField(
        choices=Consumption.choices, help_text="How its answers reach those who use them."
    )
    decision_threshold = forms.FloatField(
        required=False, help_text="On the score. Leave it empty where the model decides nothing."
    )
    signature = forms.JSONField(
        required=False,
        initial={"inputs": [{"name": "x", "type": "double"}], "outputs": []},
        help_text="Columns in and out, in order.",
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "mono"}),
    )
    image = forms.CharField(max_length=1024, required=False, label="Serving image")
    features = forms.CharField(max_length=1024, required=False, label="Feature code")
    training = forms.ModelMultipleChoiceField(
        queryset=Dataset.objects.none(), required=False, label="Trained on"
    )
    validation = forms.ModelMultipleChoiceField(
        queryset=Dataset.objects.none(), required=False, label="Validated on"
    )
    derived_from = forms.CharField(
        max_length=300,
        required=False,
        label="Derived from",
        help_text="The version it was made from: a number, or another model and its number.",
    )
    derivation = forms.ChoiceField(
        choices=[("", "–"), *Derivation.choices],
        required=False,
        label="How it was derived",
        help_text="It is compared with its parent as soon as both answer.",
    )
    components = Lines(
        max_length=50_000,
        required=False,
        help_text="The versions that it calls, one a line: model and number. They go live "
        "together, or not at all.",
    )
    links = Lines(
        max_length=100_000,
        required=False,
        label="Elsewhere",
        help_text="One a line: kind, address and, if you like, a name. Kinds: "
        + ", ".join(VersionLink.Kind.values)
        + ". Shown, and never fetched.",
    )
    reported_metrics = Lines(
        max_length=50_000,
        required=False,
        help_text="One a line: name = number. Shown as reported, never as measured.",
    )
    description = forms.CharField(
        max_length=TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        label="What changed",
    )

    def __init__(self, *args: Any, workspace: Any, model_name: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model_name = model_name
        for name in ("training", "validation"):
            field = cast("forms.ModelMultipleChoiceField[Dataset]", self.fields[name])
            field.queryset = selectors.datasets_for(workspace).order_by("name")

    def clean_artifacts(self) -> list[dict[str, Any]]:
        return [_artifact(line) for line in self.cleaned_data["artifacts"]]

    def clean_derived_from(self) -> dict[str, Any] | None:
        text = self.cleaned_data["derived_from"]
        return numbered(text, default_model=self.model_name) if text else None

    def clean_components(self) -> list[dict[str, Any]]:
        return [numbered(line) for line in self.cleaned_data["components"]]

    def clean_links(self) -> list[dict[str, str]]:
        return [link_of(line) for line in self.cleaned_data["links"]]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if bool(data.get("derived_from")) != bool(data.get("derivation")):
            name = "derivation" if data.get("derived_from") else "derived_from"
            if name not in self.errors:
                self.add_error(name, "A parent and how it was derived come together.")
        return data

    def beside(self) -> dict[str, Any]:
        """What does not belong to the release."""
        keys = ("reported_metrics", "description", "semantic_version", "links")
        return {key: self.cleaned_data[key] for key in keys}

    def clean_reported_metrics(self) -> dict[str, float]:
        metrics = {}
        for line in self.cleaned_data["reported_metrics"]:
            name, equals, value = line.partition("=")
            try:
                metrics[name.strip()] = float(value)
            except ValueError:
                raise forms.ValidationError(f"“{line[:60]}” is not name = number.") from None
            if not equals or not name.strip():
                raise forms.ValidationError(f"“{line[:60]}” is not name = number.")
        return metrics

    def clean_signature(self) -> dict[str, list[dict[str, Any]]]:
        given = self.cleaned_data["signature"]
        given = {} if given is None else given
        sides = ("inputs", "outputs")
        if not isinstance(given, dict) or set(given) - set(sides):
            raise forms.ValidationError("An object with “inputs” and “outputs”.")
        for side in sides:
            columns = given.get(side, [])
            if not isinstance(columns, list) or not all(_is_column(it) for it in columns):
                raise forms.ValidationError(
                    f"“{side}” is a list of objects with “name”, “type” and perhaps “required”."
                )
        if "\\u0000" in json.dumps(given):
            raise forms.ValidationError("Text holds no NUL character.")
        return given

    def release(self) -> ReleaseInput:
        data = self.cleaned_data
        datasets = [
            {"name": dataset.name, "use": use}
            for use in ("training", "validation")
            for dataset in data[use]
        ]
        parent = data["derived_from"]
        return ReleaseInput(
            datasets=datasets,
            components=data["components"],
            derived_from={**parent, "derivation": data["derivation"]} if parent else None,
            **{
                key: data[key]
                for key in (
                    "artifacts",
                    "source",
                    "run_id",
                    "git_commit",
                    "git_authors",
                    "consumption",
                    "decision_threshold",
                    "signature",
                    "image",
                    "features",
                )
            },
        )


class DatasetForm(forms.Form):
    name = forms.CharField(max_length=255, strip=False, help_text="No slash. It stays for good.")
    file = forms.FileField(
        help_text="Parquet, or CSV in UTF-8 with commas and a header line; at most 300 MB.",
        widget=forms.ClearableFileInput(attrs={"accept": ".parquet,.csv"}),
    )
    label_column = forms.CharField(
        max_length=255, required=False, strip=False, help_text="What the model should have said."
    )
    id_column = forms.CharField(
        max_length=255,
        required=False,
        strip=False,
        help_text="Names a row, each once: predictions and late labels are joined on it.",
    )
    time_column = forms.CharField(max_length=255, required=False, strip=False)
    description = forms.CharField(
        max_length=TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Where it comes from and what it may be used for.",
    )


class AsOfForm(forms.Form):
    """A day in the past; the end of it counts."""

    on = forms.DateField(
        label="As of", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )


class AuthorForm(forms.Form):
    identity = forms.CharField(max_length=254, widget=forms.HiddenInput)
    user = PersonField(queryset=User.objects.none(), label="is")

    def __init__(self, *args: Any, workspace: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        user = cast("PersonField", self.fields["user"])
        user.queryset = people(workspace).filter(is_active=True)


def _artifact(line: str) -> dict[str, Any]:
    parts = line.split()
    if len(parts) not in (2, 3) or (len(parts) == 3 and not parts[2].isdigit()):
        raise forms.ValidationError(f"“{line[:60]}” is not a name, a SHA-256 and a size.")
    size = int(parts[2]) if len(parts) == 3 and len(parts[2]) < 17 else 0
    return {"name": parts[0], "sha256": parts[1], "size": size}


def _is_column(given: Any) -> bool:
    return (
        isinstance(given, dict)
        and isinstance(given.get("name"), str)
        and isinstance(given.get("type"), str)
        and set(given) <= {"name", "type", "required"}
        and isinstance(given.get("required", True), bool)
    )
