"""Forms of the outbound page."""

from __future__ import annotations

from django import forms

from outbound.models import Message


class MessageFilter(forms.Form):
    state = forms.ChoiceField(
        required=False, label="State", choices=[("", "Any"), *Message.State.choices]
    )
    kind = forms.ChoiceField(
        required=False, label="Kind", choices=[("", "Any"), *Message.Kind.choices]
    )


class DestinationForm(forms.Form):
    """What an administrator opens; the service judges it."""

    cidr = forms.CharField(
        label="Network", max_length=43, help_text="For example 10.1.2.0/24, or one address as /32."
    )
    port = forms.IntegerField(label="Port", min_value=1, max_value=65_535)
    host = forms.CharField(
        label="Only under the name",
        max_length=253,
        required=False,
        help_text="Empty: under any name.",
    )
    reason = forms.CharField(label="Reason", max_length=500)
