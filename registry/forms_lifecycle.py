"""Forms that rename, tag and stage."""

from __future__ import annotations

from django import forms

from registry.models import Stage
from registry.names import MAX_NAME, MAX_TAG_KEY


class RenameForm(forms.Form):
    name = forms.CharField(max_length=MAX_NAME, strip=False, label="New name")


class TagForm(forms.Form):
    key = forms.CharField(max_length=MAX_TAG_KEY, label="Tag")
    value = forms.CharField(max_length=5000, required=False, label="Value")


class StageForm(forms.Form):
    stage = forms.ChoiceField(choices=Stage.choices, label="Stage")
    archive_existing = forms.BooleanField(
        required=False, label="Archive the other versions in that stage"
    )
