"""What delivery's API takes and gives."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import StrictSerializer
from delivery.models import Gateway, Rollout, RolloutStep, Route
from delivery.models.route import ROUTE_NAME


class GatewayIn(StrictSerializer):
    name = serializers.RegexField(ROUTE_NAME, max_length=63)
    public_url = serializers.URLField(max_length=300)


class GatewayOut(serializers.ModelSerializer[Gateway]):
    class Meta:
        model = Gateway
        fields = [
            "uid",
            "name",
            "public_url",
            "revision",
            "applied_revision",
            "refused_revision",
            "refused_reason",
            "agent_seen_at",
            "created_at",
        ]


class RouteIn(StrictSerializer):
    name = serializers.RegexField(ROUTE_NAME, max_length=63)
    gateway = serializers.CharField(max_length=63)
    model = serializers.CharField(max_length=255)
    environment = serializers.CharField(max_length=64)
    timeout_ms = serializers.IntegerField(min_value=100, max_value=120_000, default=10_000)


class TargetOut(serializers.Serializer[Any]):
    version = serializers.IntegerField(source="version.number")
    endpoint = serializers.CharField(source="endpoint.name")
    weight = serializers.IntegerField()


class RouteOut(serializers.ModelSerializer[Route]):
    gateway = serializers.CharField(source="gateway.name")
    model = serializers.CharField(source="model.name")
    environment = serializers.CharField(source="environment.name")
    url = serializers.SerializerMethodField()
    targets = TargetOut(many=True)

    class Meta:
        model = Route
        fields = [
            "uid",
            "name",
            "gateway",
            "model",
            "environment",
            "url",
            "timeout_ms",
            "targets",
            "created_at",
        ]

    def get_url(self, route: Route) -> str:
        return f"{route.gateway.public_url}/{route.name}/invocations"


class CurrentOut(serializers.Serializer[Any]):
    """What a route serves: the version that the registry calls live, and its digest."""

    route = serializers.CharField()
    model = serializers.CharField()
    version = serializers.IntegerField()
    release_digest = serializers.CharField()
    since = serializers.DateTimeField()
    reference = serializers.CharField()


class StepOut(serializers.ModelSerializer[RolloutStep]):
    latest = serializers.SerializerMethodField()

    class Meta:
        model = RolloutStep
        fields = [
            "index",
            "weight",
            "min_answers",
            "min_seconds",
            "max_seconds",
            "state",
            "verdict",
            "latest",
            "started_at",
            "applied_at",
            "finished_at",
        ]

    @extend_schema_field(serializers.DictField())
    def get_latest(self, step: RolloutStep) -> dict[str, Any]:
        arms = {name: step.measured.get(name) or {} for name in ("candidate", "stable")}
        return {
            name: {"answers": arm.get("answers", 0), "errors": arm.get("bad", 0)}
            for name, arm in arms.items()
        }


class RolloutOut(serializers.ModelSerializer[Rollout]):
    route = serializers.CharField(source="route.name")
    model = serializers.CharField(source="route.model.name")
    environment = serializers.CharField(source="route.environment.name")
    from_version = serializers.IntegerField(
        source="from_version.number", allow_null=True, default=None
    )
    to_version = serializers.IntegerField(source="to_version.number")
    job = serializers.UUIDField(source="job.uid", allow_null=True, default=None)
    steps = StepOut(many=True)

    class Meta:
        model = Rollout
        fields = [
            "uid",
            "reference",
            "route",
            "model",
            "environment",
            "from_version",
            "to_version",
            "release_digest",
            "state",
            "reason",
            "checkpoint_size",
            "job",
            "steps",
            "started_by_label",
            "created_at",
            "finished_at",
        ]


class ReasonIn(StrictSerializer):
    reason = serializers.CharField(max_length=500)
