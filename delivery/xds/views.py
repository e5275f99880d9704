"""The agent's two calls: fetch what to serve (long poll, ETag), and say what is served."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import TokenAuthentication
from accounts.roles import Capability
from common.api.serializers import StrictSerializer
from delivery.services import gateways

if TYPE_CHECKING:
    from rest_framework.request import Request

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


@extend_schema(exclude=True)
class ConfigurationView(APIView):
    """GET: 200 with the configuration, or 304 when the ETag still holds after ``wait`` s."""

    capabilities = {"get": Capability.GATEWAY_AGENT}
    # An agent has a token of its own; a browser session has no business here.
    authentication_classes = [TokenAuthentication]
    versioning_class = None

    def get(self, request: Request, uid: UUID) -> Response:
        gateway = gateways.get(caller=request.caller, uid=uid)  # type: ignore[attr-defined]
        known = request.headers.get("If-None-Match", "").strip('"')
        raw_wait = request.query_params.get("wait", "0")
        wait_s = min(int(raw_wait), MAX_WAIT_S) if raw_wait.isdigit() else 0
        if known.isdigit() and not gateways.wait_for_change(gateway, int(known[:18]), wait_s):
            return Response(status=304, headers={"ETag": f'"{known}"'})
        config = gateways.configuration(gateway)
        return Response(config, headers={"ETag": f'"{config["revision"]}"'})


@extend_schema(exclude=True)
class StatusView(APIView):
    """POST: applied and refused revision, and each cluster's counters."""

    capabilities = {"post": Capability.GATEWAY_AGENT}
    # An agent has a token of its own; a browser session has no business here.
    authentication_classes = [TokenAuthentication]
    versioning_class = None

    def post(self, request: Request, uid: UUID) -> Response:
        caller = request.caller  # type: ignore[attr-defined]
        gateway = gateways.get(caller=caller, uid=uid)
        status = StatusIn(data=request.data)
        status.is_valid(raise_exception=True)
        gateways.report(caller=caller, gateway=gateway, status=status.validated_data)
        return Response(status=204)
