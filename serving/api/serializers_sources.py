"""Sources of endpoints, what came of them, and what a hook answers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import StrictSerializer
from serving.api.serializers import NAME, MappingIn
from serving.models import EndpointProvision, EndpointSource
from serving.services.provide import TAG


def _columns(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=NAME, trim_whitespace=False),
        required=False,
        max_length=1000,
        **options,
    )


def _secrets(help_text: str) -> serializers.DictField:
    return serializers.DictField(
        child=serializers.CharField(max_length=8192, trim_whitespace=False),
        required=False,
        write_only=True,
        help_text=help_text,
    )


class EndpointSourceIn(StrictSerializer):
    """The whole of it; secrets that are left out stay, while they go to the same origin."""

    kind = serializers.ChoiceField(
        choices=EndpointSource.Kind.choices,
        help_text=f"a tag is “{TAG}” of the version, set when it is registered or later",
    )
    template = serializers.CharField(
        max_length=1024,
        required=False,
        allow_blank=True,
        help_text="a URL with {model}, {version}, {semantic_version}, {digest}",
    )
    origin = serializers.CharField(
        max_length=300,
        required=False,
        allow_blank=True,
        help_text="of a tag or hook: scheme, host and port that the URL must have",
    )
    hook_url = serializers.CharField(max_length=1024, required=False, allow_blank=True)
    hook_secret = serializers.CharField(
        max_length=1000, required=False, trim_whitespace=False, write_only=True
    )
    answer_within_s = serializers.IntegerField(min_value=60, max_value=86_400, required=False)
    protocol = serializers.CharField(max_length=32, required=False)
    mapping = MappingIn(required=False)
    input_columns = _columns(help_text="the version's signature, when left out")
    timeout_ms = serializers.IntegerField(min_value=100, max_value=120_000, required=False)
    max_batch_rows = serializers.IntegerField(min_value=1, max_value=10_000, required=False)
    secrets = _secrets("headers that every endpoint made from it sends; {} takes them away")


class EndpointSourceOut(serializers.ModelSerializer[EndpointSource]):
    model = serializers.CharField(source="model.name")
    mapping = serializers.DictField()
    input_columns = serializers.ListField(child=serializers.CharField())
    secret_headers = serializers.SerializerMethodField()

    class Meta:
        model = EndpointSource
        fields = (
            "model",
            "kind",
            "template",
            "origin",
            "hook_url",
            "answer_within_s",
            "protocol",
            "mapping",
            "input_columns",
            "timeout_ms",
            "max_batch_rows",
            "secret_headers",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_secret_headers(self, source: EndpointSource) -> list[str]:
        """Names only; a value never comes out again."""
        return sorted(secret.header for secret in source.secrets.all())


class EndpointProvisionOut(serializers.ModelSerializer[EndpointProvision]):
    """One try to get the version an endpoint. ``hook`` is how the call to the hook fares."""

    endpoint = serializers.SerializerMethodField()
    hook = serializers.SerializerMethodField()

    class Meta:
        model = EndpointProvision
        fields = (
            "uid",
            "kind",
            "state",
            "reason",
            "url",
            "endpoint",
            "hook",
            "asked_at",
            "expires_at",
            "finished_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_endpoint(self, provision: EndpointProvision) -> Any:
        return provision.endpoint.uid if provision.endpoint else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_hook(self, provision: EndpointProvision) -> Any:
        return provision.message.state if provision.message else None


class HookAnswerIn(StrictSerializer):
    """Either ``url``, with what differs from the source, or ``failed`` with the reason."""

    url = serializers.CharField(max_length=1024, required=False)
    failed = serializers.CharField(max_length=400, required=False)
    mapping = MappingIn(required=False)
    input_columns = _columns()
    timeout_ms = serializers.IntegerField(min_value=100, max_value=120_000, required=False)
    max_batch_rows = serializers.IntegerField(min_value=1, max_value=10_000, required=False)
    secrets = _secrets("headers that this endpoint needs, beside the source's")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("url" in attrs) == ("failed" in attrs):
            raise serializers.ValidationError("Answer with url or with failed.")
        return attrs
