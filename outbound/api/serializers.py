"""The allow-list and the outbox as the API shows them."""

from __future__ import annotations

from rest_framework import serializers

from common.api.serializers import StrictSerializer
from outbound.models import Destination, Message


class DestinationIn(StrictSerializer):
    """A private address to open."""

    cidr = serializers.CharField(max_length=43)
    port = serializers.IntegerField(min_value=1, max_value=65_535)
    host = serializers.CharField(max_length=253, required=False, allow_blank=True, default="")
    reason = serializers.CharField(max_length=500)


class DestinationOut(serializers.ModelSerializer[Destination]):
    """An entry; one with ``revoked_at`` no longer opens anything."""

    class Meta:
        model = Destination
        fields = (
            "uid",
            "cidr",
            "port",
            "host",
            "reason",
            "created_by_label",
            "created_at",
            "revoked_by_label",
            "revoked_at",
        )
        read_only_fields = fields


class MessageOut(serializers.ModelSerializer[Message]):
    """A message without its body: what it says is for its receivers."""

    class Meta:
        model = Message
        fields = (
            "uid",
            "kind",
            "purpose",
            "to",
            "url",
            "subject",
            "state",
            "attempts",
            "next_try_at",
            "error",
            "created_at",
            "sent_at",
        )
        read_only_fields = fields
