"""Forms of serving's pages."""

from __future__ import annotations

from typing import Any

from django import forms

from registry.forms import Lines


class EndpointForm(forms.Form):
    name = forms.CharField(max_length=255, strip=False, help_text="No slash. It stays for good.")
    url = forms.CharField(
        max_length=1024,
        label="URL",
        help_text="Of the server, or of its /invocations. Private addresses must have been opened "
        "by an administrator.",
    )
    path = forms.CharField(
        max_length=200,
        required=False,
        initial="predictions",
        label="Where the answers stand",
        help_text="Keys joined by dots; MLflow answers under “predictions”.",
    )
    field = forms.CharField(
        max_length=200,
        required=False,
        label="Field of the score",
        help_text="Where each answer is an object.",
    )
    index = forms.IntegerField(
        min_value=0,
        max_value=10_000,
        required=False,
        label="Place of the score",
        help_text="Where each answer is a list, such as one probability a class; counted from 0.",
    )
    input_columns = Lines(
        max_length=300_000,
        label="Columns to send",
        help_text="One a line, in the order the model takes them.",
    )
    timeout_ms = forms.IntegerField(
        min_value=100,
        max_value=120_000,
        initial=10_000,
        label="Deadline (ms)",
        help_text="For a whole call, from its start to the last byte.",
    )
    max_batch_rows = forms.IntegerField(
        min_value=1, max_value=10_000, initial=1000, label="Rows a call, at most"
    )
    header = forms.CharField(
        max_length=100,
        required=False,
        label="Secret header",
        help_text="Such as Authorization; sent with every call.",
    )
    secret = forms.CharField(
        max_length=8192,
        required=False,
        strip=False,
        label="Its value",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Encrypted at rest, and never shown again.",
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if bool(data.get("header")) != bool(data.get("secret")):
            self.add_error("secret", "A header and its value come together.")
        return data

    def content(self) -> dict[str, Any]:
        """What the service takes."""
        data = self.cleaned_data
        return {
            **{
                key: data[key]
                for key in (
                    "name",
                    "url",
                    "input_columns",
                    "timeout_ms",
                    "max_batch_rows",
                )
            },
            "mapping": {
                "path": data["path"],
                "field": data["field"] or None,
                "index": data["index"],
            },
            "secrets": {data["header"]: data["secret"]} if data["header"] else {},
        }
