"""The agent's two calls: fetch what to serve (long poll, ETag), and say what is served."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import Capability
from common.api.serializers import StrictSerializer
from common.errors import NotAllowed
from delivery.services import gateways

if TYPE_CHECKING:
    from rest_framework.request import Request

    from accounts.callers import Caller
    from delivery.models import Gateway

MAX_WAIT_S = 30
MAX_REVISION = 2**62


class StatusIn(StrictSerializer):
    applied_revision = serializers.IntegerField(min_value=0, max_value=MAX_REVISION)
    refused_revision = serializers.IntegerField(min_value=0, max_value=MAX_REVISION)
    refused_reason = serializers.CharField(allow_blank=True, max_length=2000)
    counters = serializers.DictField(child=serializers.DictField())

    def validate_counters(self, value: dict[str, Any]) -> dict[str, Any]:
        for name, entry in value.items():
            numbers = (entry.get("answers"), entry.get("bad"))
            if not 0 < len(name) <= 100 or not all(_is_count(number) for number in numbers):
                raise serializers.ValidationError("Each cluster has counts “answers” and “bad”.")
            if entry["bad"] > entry["answers"]:
                raise serializers.ValidationError("More bad answers than answers.")
            buckets = entry.get("buckets")
            if (
                not isinstance(buckets, list)
                or len(buckets) > 100
                or not all(map(_is_bucket, buckets))
            ):
                raise serializers.ValidationError("“buckets” are at most 100 [edge, count] pairs.")
        return {
            name: {key: entry[key] for key in ("answers", "bad", "buckets")}
            for name, entry in value.items()
        }


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_REVISION


def _is_bucket(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], (int, float))
        and not isinstance(value[0], bool)
        and math.isfinite(value[0])
        and _is_count(value[1])
    )


class AgentView(APIView):
    """What only an agent's own token opens: a browser session has no business here."""

    versioning_class = None

    def gateway_of(self, request: Request, uid: UUID) -> tuple[Caller, Gateway]:
        """Raises: NotFound, NotAllowed."""
        caller: Caller = request.caller  # type: ignore[attr-defined]
        gateway = gateways.get(caller=caller, uid=uid)
        if caller.token is None:
            raise NotAllowed("This is for a gateway agent's token.", code="token_required")
        return caller, gateway


@extend_schema(exclude=True)
class ConfigurationView(AgentView):
    """GET: 200 with the configuration, or 304 when the ETag still holds after ``wait`` s."""

    capabilities = {"get": Capability.GATEWAY_AGENT}

    def get(self, request: Request, uid: UUID) -> Response:
        _, gateway = self.gateway_of(request, uid)
        known = request.headers.get("If-None-Match", "").strip('"')
        raw_wait = request.query_params.get("wait", "0")
        wait_s = min(int(raw_wait), MAX_WAIT_S) if raw_wait.isdigit() else 0
        if known.isdigit() and not gateways.wait_for_change(gateway, int(known[:18]), wait_s):
            return Response(status=304, headers={"ETag": f'"{known}"'})
        config = gateways.configuration(gateway)
        return Response(config, headers={"ETag": f'"{config["revision"]}"'})


@extend_schema(exclude=True)
class StatusView(AgentView):
    """POST: applied and refused revision, and each cluster's counters."""

    capabilities = {"post": Capability.GATEWAY_AGENT}

    def post(self, request: Request, uid: UUID) -> Response:
        caller, gateway = self.gateway_of(request, uid)
        status = StatusIn(data=request.data)
        status.is_valid(raise_exception=True)
        gateways.report(caller=caller, gateway=gateway, status=status.validated_data)
        return Response(status=204)
