"""Form fields that name other versions and pages elsewhere."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from registry.models import VersionLink

_NUMBERED = re.compile(r"(?P<model>.*\S)\s+(?P<version>[1-9][0-9]{0,8})\Z")


class LinkForm(forms.Form):
    kind = forms.ChoiceField(choices=VersionLink.Kind.choices)
    url = forms.CharField(
        max_length=2000, label="Address", help_text="Shown as a link, and never fetched."
    )
    label = forms.CharField(max_length=200, required=False, label="Shown as")


def numbered(text: str, *, default_model: str = "") -> dict[str, Any]:
    """``flight delay 7`` as model and number; a number alone is of ``default_model``.

    Raises: ValidationError.
    """
    text = text.strip()
    if default_model and text.isascii() and text.isdigit() and len(text) < 10:
        return {"model": default_model, "version": int(text)}
    found = _NUMBERED.match(text)
    if found is None:
        raise forms.ValidationError(f"“{text[:60]}” is not a model and the number of its version.")
    return {"model": found["model"], "version": int(found["version"])}


def link_of(line: str) -> dict[str, str]:
    """``wandb https://… what it is`` as kind, address and label. Raises: ValidationError."""
    parts = line.split(maxsplit=2)
    if len(parts) < 2 or parts[0] not in VersionLink.Kind.values:
        kinds = ", ".join(VersionLink.Kind.values)
        raise forms.ValidationError(
            f"“{line[:60]}” is not a kind ({kinds}) and an address, with a blank between."
        )
    return {"kind": parts[0], "url": parts[1], "label": parts[2] if len(parts) == 3 else ""}
