"""Webhooks and their deliveries: what comes in and what goes out. A secret comes in only."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.roles import Capability
from common.api.serializers import StrictSerializer
from outbound.models import Message
from registry.models import Webhook
from registry.services.webhooks import host_of
from registry.webhook_events import Event, every_event, named

NAMES = [(event.name, event.in_words) for event in every_event()]


class WebhookIn(StrictSerializer):
    name = serializers.CharField(max_length=63)
    url = serializers.CharField(max_length=2000, help_text="https, or an opened private address")
    events = serializers.MultipleChoiceField(choices=NAMES, allow_empty=False)
    description = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    secret = serializers.CharField(
        max_length=1000,
        required=False,
        allow_blank=True,
        write_only=True,
        trim_whitespace=False,
        help_text="key of the signature; without one, calls go unsigned",
    )
    status = serializers.ChoiceField(choices=Webhook.Status.choices, required=False)

    def content(self) -> dict[str, Any]:
        """What the service takes."""
        content = dict(self.validated_data)
        if "events" in content:
            content["events"] = [named(name) for name in sorted(content["events"])]
        return content


class WebhookPatch(WebhookIn):
    """What is left out stays; an empty ``secret`` takes the signature away."""

    name = serializers.CharField(max_length=63, required=False)
    url = serializers.CharField(max_length=2000, required=False)
    events = serializers.MultipleChoiceField(choices=NAMES, allow_empty=False, required=False)


class WebhookOut(serializers.ModelSerializer[Webhook]):
    """Whoever is no administrator sees the host of the URL: the rest is often a key."""

    url = serializers.SerializerMethodField()
    events = serializers.SerializerMethodField()
    signed = serializers.SerializerMethodField()

    class Meta:
        model = Webhook
        fields = (
            "uid",
            "name",
            "description",
            "url",
            "events",
            "status",
            "signed",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_url(self, webhook: Webhook) -> str:
        whole = self.context["caller"].may(Capability.WORKSPACE_ADMIN)
        return webhook.url if whole else f"{host_of(webhook.url)}/…"

    def get_events(self, webhook: Webhook) -> list[str]:
        return [Event(it["entity"], it["action"]).name for it in webhook.events]

    def get_signed(self, webhook: Webhook) -> bool:
        return bool(webhook.sealed_secret)


class DeliveryOut(serializers.ModelSerializer[Message]):
    """One fact as it was told, and what the receiver answered last."""

    event = serializers.CharField(source="subject")
    body = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = (
            "uid",
            "event",
            "body",
            "state",
            "attempts",
            "response_status",
            "response_excerpt",
            "error",
            "again_of",
            "created_at",
            "tried_at",
            "next_try_at",
            "sent_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.DictField())
    def get_body(self, delivery: Message) -> Any:
        return json.loads(delivery.body)


class WebhookTestIn(StrictSerializer):
    event = serializers.ChoiceField(
        choices=NAMES, required=False, help_text="the webhook's first, when left out"
    )


class WebhookTestOut(serializers.Serializer[Any]):
    """What a test call met with; nothing of it is tried again."""

    success = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True)
    excerpt = serializers.CharField()
    error = serializers.CharField()
