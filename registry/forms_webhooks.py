"""Forms of the webhooks' pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from outbound.models import Message
from registry.webhook_events import Event, every_event, named

if TYPE_CHECKING:
    from registry.models import Webhook

EVENTS = [(event.name, event.in_words) for event in every_event()]


class WebhookForm(forms.Form):
    """A new webhook, or another content of one: there, an empty secret leaves the present one."""

    name = forms.CharField(
        max_length=63, help_text="Letters, digits, “.”, “_” and “-”, such as deploy-bot."
    )
    url = forms.CharField(
        max_length=2000,
        label="URL",
        help_text="With https; a private address must have been opened by an administrator.",
    )
    events = forms.MultipleChoiceField(
        choices=EVENTS, widget=forms.CheckboxSelectMultiple, label="What it is told"
    )
    secret = forms.CharField(
        max_length=1000,
        required=False,
        strip=False,
        label="Secret of the signature",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Signs every call, so that the receiver knows it is ours. Never shown again.",
    )
    unsigned = forms.BooleanField(required=False, label="Take the signature away")
    description = forms.CharField(
        max_length=10_000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, webhook: Webhook | None = None, **kwargs: Any) -> None:
        self.webhook = webhook
        if webhook is not None:
            kwargs["initial"] = {
                "name": webhook.name,
                "url": webhook.url,
                "events": [Event(it["entity"], it["action"]).name for it in webhook.events],
                "description": webhook.description,
            }
        super().__init__(*args, **kwargs)
        if webhook is None or not webhook.sealed_secret:
            del self.fields["unsigned"]
        elif webhook is not None:
            self.fields["secret"].help_text = "Empty: the present one stays. Never shown again."

    def content(self) -> dict[str, Any]:
        """What the service takes."""
        data = self.cleaned_data
        content: dict[str, Any] = {
            "name": data["name"],
            "url": data["url"],
            "events": [named(name) for name in data["events"]],
            "description": data["description"],
        }
        if data["secret"] or self.webhook is None:
            content["secret"] = data["secret"]
        elif data.get("unsigned"):
            content["secret"] = ""
        return content


class TestForm(forms.Form):
    """Which made-up fact to send now."""

    __test__ = False

    event = forms.ChoiceField(label="Event")

    def __init__(self, *args: Any, webhook: Webhook, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        subscribed = [Event(it["entity"], it["action"]) for it in webhook.events]
        self.fields["event"].choices = [  # type: ignore[attr-defined]
            (event.name, event.in_words) for event in subscribed
        ]


class DeliveryFilter(forms.Form):
    state = forms.ChoiceField(
        required=False, label="State", choices=[("", "Any"), *Message.State.choices]
    )
    event = forms.ChoiceField(required=False, label="Event", choices=[("", "Any"), *EVENTS])
