"""The form that says where a model's new versions get their endpoint from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from registry.forms import Lines
from serving.models import EndpointSource
from serving.services.provide import TAG

if TYPE_CHECKING:
    from serving.models import EndpointSource as Source


class EndpointSourceForm(forms.Form):
    """Secrets that are left empty stay as they are."""

    kind = forms.ChoiceField(
        choices=EndpointSource.Kind.choices,
        label="A new version gets its endpoint from",
        widget=forms.RadioSelect,
        initial="template",
    )
    template = forms.CharField(
        max_length=1024,
        required=False,
        label="URL template",
        help_text="With {model}, {version}, {semantic_version} or {digest}, such as "
        "https://models.internal/{model}/{version}/invocations.",
    )
    hook_url = forms.CharField(
        max_length=1024,
        required=False,
        label="URL of the hook",
        help_text="It is called signed, stands the version up, and answers with the URL.",
    )
    hook_secret = forms.CharField(
        max_length=1000,
        required=False,
        strip=False,
        label="Secret shared with the hook",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="At least 16 characters; signs the call and the answer. Never shown again.",
    )
    answer_within_s = forms.IntegerField(
        min_value=60,
        max_value=86_400,
        initial=900,
        label="The hook answers within (s)",
    )
    origin = forms.CharField(
        max_length=300,
        required=False,
        label="Only at this origin",
        help_text=f"Of the tag {TAG} or the hook’s answer: https://models.internal:8443. "
        "Needed where a secret header is sent.",
    )
    path = forms.CharField(
        max_length=200,
        required=False,
        initial="predictions",
        label="Where the answers stand",
        help_text="Keys joined by dots; MLflow answers under “predictions”.",
    )
    field = forms.CharField(max_length=200, required=False, label="Field of the score")
    index = forms.IntegerField(
        min_value=0, max_value=10_000, required=False, label="Place of the score"
    )
    input_columns = Lines(
        max_length=300_000,
        required=False,
        label="Columns to send",
        help_text="One a line; empty: the inputs of the version’s signature.",
    )
    timeout_ms = forms.IntegerField(
        min_value=100, max_value=120_000, initial=10_000, label="Deadline (ms)"
    )
    max_batch_rows = forms.IntegerField(
        min_value=1, max_value=10_000, initial=1000, label="Rows a call, at most"
    )
    header = forms.CharField(
        max_length=100,
        required=False,
        label="Secret header",
        help_text="Such as Authorization; sent with every call to its endpoints.",
    )
    secret = forms.CharField(
        max_length=8192,
        required=False,
        strip=False,
        label="Its value",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Encrypted at rest, and never shown again.",
    )

    def __init__(self, *args: Any, source: Source | None = None, **kwargs: Any) -> None:
        if source is not None:
            mapping = source.mapping
            kwargs["initial"] = {
                "kind": source.kind,
                "template": source.template,
                "hook_url": source.hook_url,
                "answer_within_s": source.answer_within_s,
                "origin": source.origin,
                "path": mapping.get("path"),
                "field": mapping.get("field"),
                "index": mapping.get("index"),
                "input_columns": "\n".join(source.input_columns),
                "timeout_ms": source.timeout_ms,
                "max_batch_rows": source.max_batch_rows,
            }
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        needed = {"template": "template", "hook": "hook_url"}.get(data.get("kind", ""))
        if needed and needed not in self.errors and not data.get(needed):
            self.add_error(needed, "This is needed for the choice above.")
        if bool(data.get("header")) != bool(data.get("secret")):
            self.add_error("secret", "A header and its value come together.")
        return data

    def content(self) -> dict[str, Any]:
        """What the service takes."""
        data = self.cleaned_data
        same = ("kind", "template", "hook_url", "answer_within_s", "origin", "input_columns")
        return {
            **{key: data[key] for key in (*same, "timeout_ms", "max_batch_rows")},
            "hook_secret": data["hook_secret"] or None,
            "mapping": {
                "path": data["path"],
                "field": data["field"] or None,
                "index": data["index"],
            },
            "secrets": {data["header"]: data["secret"]} if data["header"] else None,
        }
