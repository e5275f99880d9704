"""What comes into serving's API and what goes out. Secrets come in only."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from common.api.serializers import StrictSerializer
from serving.models import Endpoint

NAME = 255


class MappingIn(StrictSerializer):
    """How an answer becomes a score."""

    path = serializers.CharField(max_length=200, required=False, allow_blank=True)
    field = serializers.CharField(max_length=200, required=False, allow_null=True)
    index = serializers.IntegerField(min_value=0, max_value=10_000, required=False, allow_null=True)
    positive_class = serializers.JSONField(
        required=False, allow_null=True, help_text="a class's place (number) or name (text)"
    )


class EndpointIn(StrictSerializer):
    name = serializers.CharField(max_length=NAME, trim_whitespace=False)
    model = serializers.CharField(max_length=NAME)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    url = serializers.CharField(max_length=1024, help_text="of the server, or of its /invocations")
    protocol = serializers.CharField(max_length=32, required=False)
    mapping = MappingIn(required=False)
    input_columns = serializers.ListField(
        child=serializers.CharField(max_length=NAME, trim_whitespace=False),
        required=False,
        max_length=1000,
        help_text="columns to send, in order; the signature's inputs, when left out",
    )
    timeout_ms = serializers.IntegerField(min_value=100, max_value=120_000, required=False)
    max_batch_rows = serializers.IntegerField(min_value=1, max_value=10_000, required=False)
    secrets = serializers.DictField(
        child=serializers.CharField(max_length=8192, trim_whitespace=False),
        required=False,
        write_only=True,
        help_text="headers sent with every call",
    )


class SecretIn(StrictSerializer):
    header = serializers.CharField(max_length=100)
    value = serializers.CharField(max_length=8192, trim_whitespace=False, write_only=True)


class ProbeIn(StrictSerializer):
    rows = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        min_length=1,
        max_length=100,
        help_text="rows to send; some of the version's dataset, when left out",
    )


class EndpointOut(serializers.ModelSerializer[Endpoint]):
    model = serializers.CharField(source="version.model.name")
    version = serializers.IntegerField(source="version.number")
    mapping = serializers.DictField()
    input_columns = serializers.ListField(child=serializers.CharField())
    probe_detail = serializers.DictField()
    secret_headers = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = [
            "uid",
            "name",
            "model",
            "version",
            "url",
            "protocol",
            "mapping",
            "input_columns",
            "timeout_ms",
            "max_batch_rows",
            "secret_headers",
            "state",
            "state_reason",
            "probed_at",
            "probe_ms",
            "probe_detail",
            "created_at",
            "retired_at",
        ]

    def get_secret_headers(self, endpoint: Endpoint) -> list[str]:
        """Names only; a value never comes out again."""
        return sorted(secret.header for secret in endpoint.secrets.all())


class ProbeOut(serializers.Serializer[Any]):
    """What a probe found; ``code`` is ``ok`` or what went wrong."""

    code = serializers.CharField()
    endpoint = EndpointOut()
