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
    gateway = serializers.CharField(
        max_length=63,
        required=False,
        allow_null=True,
        help_text="left out: whoever runs the model asks routes/{name}/current",
    )
    model = serializers.CharField(max_length=255)
    environment = serializers.CharField(max_length=64)
    timeout_ms = serializers.IntegerField(min_value=100, max_value=120_000, default=10_000)
    lease_seconds = serializers.IntegerField(
        min_value=60,
        max_value=366 * 24 * 3600,
        required=False,
        help_text="how long an answer of routes/{name}/current is good for, at least",
    )
    offline_seconds = serializers.IntegerField(
        min_value=0,
        max_value=366 * 24 * 3600,
        required=False,
        help_text="how long a reader may go on when nobody answers; 0: not at all",
    )


class TargetOut(serializers.Serializer[Any]):
    version = serializers.IntegerField(source="version.number")
    endpoint = serializers.CharField(source="endpoint.name")
    weight = serializers.IntegerField()


class RouteOut(serializers.ModelSerializer[Route]):
    gateway = serializers.CharField(source="gateway.name", allow_null=True, default=None)
    model = serializers.CharField(source="model.name")
    environment = serializers.CharField(source="environment.name")
    url = serializers.SerializerMethodField()
    targets = TargetOut(many=True)
    taken_version = serializers.IntegerField(
        source="taken_version.number",
        allow_null=True,
        default=None,
        help_text="the newest version that a reader has asked for and got",
    )

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
            "lease_seconds",
            "offline_seconds",
            "taken_version",
            "taken_at",
            "targets",
            "created_at",
        ]

    def get_url(self, route: Route) -> str | None:
        if route.gateway is None:
            return None
        return f"{route.gateway.public_url}/{route.name}/invocations"


class CurrentArtifactOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField(help_text="bytes")


class CurrentApprovalOut(serializers.Serializer[Any]):
    request = serializers.CharField()
    url = serializers.CharField()
    valid_until = serializers.DateTimeField()
    has_ended = serializers.BooleanField(help_text="it stops the next promotion, not what is live")


class RecalledOut(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    release_digest = serializers.CharField()
    since = serializers.DateTimeField()
    reason = serializers.CharField()


class FallbackNamedOut(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    release_digest = serializers.CharField()
    artifacts = CurrentArtifactOut(many=True)
    is_recalled = serializers.BooleanField()


class CurrentOut(serializers.Serializer[Any]):
    """What a route's readers run: the version that the registry calls live, and what to know."""

    route = serializers.CharField()
    kind = serializers.ChoiceField(choices=["read", "gateway"])
    model = serializers.CharField()
    environment = serializers.CharField()
    ring = serializers.CharField(allow_null=True)
    instruction = serializers.ChoiceField(
        choices=["use", "use_fallback", "stop"],
        help_text="anything but “use” means that this version is called back",
    )
    version = serializers.IntegerField()
    semantic_version = serializers.CharField(allow_null=True)
    release_digest = serializers.CharField()
    consumption = serializers.CharField()
    since = serializers.DateTimeField()
    reference = serializers.CharField()
    approval = CurrentApprovalOut(allow_null=True)
    valid_until = serializers.DateTimeField(
        allow_null=True, help_text="ask again by then; moves in steps, so that the ETag stands"
    )
    usable_offline = serializers.BooleanField()
    offline_until = serializers.DateTimeField(
        allow_null=True, help_text="until then it may be used when nobody answers"
    )
    signature = serializers.DictField()
    artifacts = CurrentArtifactOut(many=True)
    recalled = RecalledOut(many=True)
    fallback = FallbackNamedOut(allow_null=True)
    url = serializers.CharField(allow_null=True, help_text="where requests go, with a gateway")


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
