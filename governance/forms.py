"""Forms of governance's pages; services decide, these only read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms

from accounts import selectors as accounts
from governance.models import Finding
from registry import selectors as registry
from registry.models import ModelVersion

if TYPE_CHECKING:
    from accounts.models import Workspace
    from governance.policies import Choice

SEPARATOR = "::"


class SignForm(forms.Form):
    """A verdict over the digest that was shown. No meaning is preset."""

    digest = forms.CharField(max_length=71, widget=forms.HiddenInput)
    meaning = forms.ChoiceField(
        label="My signature means",
        required=False,
        error_messages={"invalid_choice": "Choose one of the meanings."},
    )
    reason = forms.CharField(
        label="Reason",
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept in the audit trail; needed to reject.",
    )
    password = forms.CharField(
        label="Password",
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    verdict = forms.ChoiceField(choices=[("approve", "approve"), ("reject", "reject")])

    def __init__(self, *args: Any, choices: Iterable[Choice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = list(choices)
        groups: list[Any] = [
            (
                choice.label,
                [(f"{choice.role}{SEPARATOR}{text}", text) for text in choice.meanings],
            )
            for choice in offered
        ]
        flat = groups[0][1] if len(groups) == 1 else groups
        self.fields["meaning"].choices = [("", "Choose …"), *flat]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        role, _, meaning = (data.get("meaning") or "").partition(SEPARATOR)
        if data.get("verdict") == "approve" and not meaning and "meaning" not in self.errors:
            self.add_error("meaning", "Choose what your signature means.")
        if data.get("verdict") == "reject" and not (data.get("reason") or "").strip():
            self.add_error("reason", "Say why you reject it.")
        return {**data, "role": role, "meaning": meaning}


class WithdrawForm(forms.Form):
    reason = forms.CharField(
        label="Why", required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 2})
    )


class OpenForm(forms.Form):
    """Which version into which environment."""

    version = forms.ModelChoiceField(queryset=ModelVersion.objects.none(), empty_label="Choose …")
    environment: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        queryset=None, empty_label="Choose …"
    )
    comment = forms.CharField(
        label="What the approvers should know",
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = (
            ModelVersion.objects.filter(
                model__workspace=workspace, model__retired_at=None, deleted_at=None
            )
            .select_related("model")
            .order_by("model__name", "-number")
        )
        self.fields["version"].queryset = versions  # type: ignore[attr-defined]
        self.fields["environment"].queryset = (  # type: ignore[attr-defined]
            registry.environments(workspace)
        )


class PolicyForm(forms.Form):
    """The text of a policy; the parser says what is wrong, line by line."""

    source = forms.CharField(
        label="Policy",
        max_length=64 * 1024,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 28, "class": "mono", "spellcheck": "false"}),
        help_text="YAML or JSON. Open requests keep the revision they were opened under.",
    )
    seen_revision = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)


class FindingForm(forms.Form):
    """A new finding."""

    title = forms.CharField(max_length=300)
    severity = forms.ChoiceField(choices=Finding.Severity.choices, initial="medium")
    description = forms.CharField(
        required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 4})
    )
    model: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        queryset=None, required=False, empty_label="no model"
    )
    owner: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        queryset=None, required=False, empty_label="the model's owner"
    )
    due_on = forms.DateField(
        label="Due",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Otherwise by severity: 14, 30 or 90 days.",
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model"].queryset = (  # type: ignore[attr-defined]
            registry.models_for(workspace)
        )
        self.fields["owner"].queryset = accounts.people(workspace)  # type: ignore[attr-defined]


class FindingChangeForm(forms.Form):
    """Another severity, owner or date."""

    severity = forms.ChoiceField(choices=Finding.Severity.choices)
    owner: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        queryset=None, required=False, empty_label="nobody yet"
    )
    due_on = forms.DateField(
        label="Due",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = accounts.people(workspace)  # type: ignore[attr-defined]


class FindingCloseForm(forms.Form):
    resolution = forms.CharField(
        label="What was done about it", max_length=10_000, widget=forms.Textarea(attrs={"rows": 3})
    )


class MapAuthorForm(forms.Form):
    """Which person an author is."""

    identity = forms.CharField(max_length=254, widget=forms.HiddenInput)
    user: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        queryset=None, empty_label="Choose …", label="This is"
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = accounts.people(workspace)  # type: ignore[attr-defined]


class QueueFilter(forms.Form):
    """The approver's queue: mine first, or by what state a request is in."""

    show = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Open"),
            ("mine", "Waits for me"),
            ("asked", "Asked by me"),
            ("approved", "Approved"),
            ("decided", "Decided"),
            ("all", "All"),
        ],
    )
    model = forms.CharField(required=False, max_length=255)
    environment = forms.CharField(required=False, max_length=64)
