"""Delivery's API: gateways, routes, rollouts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import generics, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import Capability
from common.errors import NotFound
from delivery import selectors
from delivery.api import serializers as io
from delivery.models import Gateway, Rollout, Route
from delivery.services import gateways, rollouts, routes
from registry import selectors as registry


class GatewayList(generics.ListAPIView[Gateway]):
    """The workspace's gateways; POST registers one."""

    capabilities = {"get": Capability.VIEW, "post": Capability.ROLLOUT_OPERATE}
    serializer_class = io.GatewayOut
    queryset = Gateway.objects.none()

    def get_queryset(self) -> Any:
        return selectors.gateways(self.request.caller.workspace)  # type: ignore[attr-defined]

    @extend_schema(request=io.GatewayIn, responses={201: io.GatewayOut})
    def post(self, request: Request, version: str | None = None) -> Response:
        data = io.GatewayIn(data=request.data)
        data.is_valid(raise_exception=True)
        made = gateways.create(caller=request.caller, **data.validated_data)  # type: ignore[attr-defined]
        made.refresh_from_db()
        return Response(io.GatewayOut(made).data, status=201)


class RouteList(generics.ListAPIView[Route]):
    """The workspace's routes; POST makes one."""

    capabilities = {"get": Capability.VIEW, "post": Capability.ROLLOUT_OPERATE}
    serializer_class = io.RouteOut
    queryset = Route.objects.none()

    def get_queryset(self) -> Any:
        return selectors.routes(self.request.caller.workspace)  # type: ignore[attr-defined]

    @extend_schema(request=io.RouteIn, responses={201: io.RouteOut})
    def post(self, request: Request, version: str | None = None) -> Response:
        data = io.RouteIn(data=request.data)
        data.is_valid(raise_exception=True)
        caller = request.caller  # type: ignore[attr-defined]
        values = data.validated_data
        gateway = None
        if values.get("gateway"):
            gateway = selectors.gateways(caller.workspace).filter(name=values["gateway"]).first()
            if gateway is None:
                raise NotFound("There is no such gateway.", code="gateway_not_found")
        made = routes.create(
            caller=caller,
            name=values["name"],
            gateway=gateway,
            model=registry.get_model(caller.workspace, values["model"]),
            environment=registry.get_environment(caller.workspace, values["environment"]),
            timeout_ms=values["timeout_ms"],
            lease_seconds=values.get("lease_seconds"),
            offline_seconds=values.get("offline_seconds"),
        )
        return Response(
            io.RouteOut(selectors.get_route(caller.workspace, made.name)).data, status=201
        )


class RolloutViewSet(viewsets.ReadOnlyModelViewSet[Rollout]):
    """Read rollouts; steer them with the four actions. They begin by an approval, not here."""

    capabilities = {
        "list": Capability.VIEW,
        "retrieve": Capability.VIEW,
        "pause": Capability.ROLLOUT_OPERATE,
        "resume": Capability.ROLLOUT_OPERATE,
        "abort": Capability.ROLLOUT_OPERATE,
        "rollback": Capability.ROLLOUT_OPERATE,
    }
    serializer_class = io.RolloutOut
    lookup_field = "uid"
    lookup_value_converter = "uuid"
    queryset = Rollout.objects.none()

    def get_queryset(self) -> Any:
        return selectors.rollouts(self.request.caller.workspace)  # type: ignore[attr-defined]

    def _answer(self, request: Request, uid: UUID) -> Response:
        found = selectors.get_rollout(request.caller.workspace, uid)  # type: ignore[attr-defined]
        return Response(io.RolloutOut(found).data)

    def _reason(self, request: Request) -> str:
        data = io.ReasonIn(data=request.data)
        data.is_valid(raise_exception=True)
        return str(data.validated_data["reason"])

    @extend_schema(request=None, responses=io.RolloutOut)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        rollouts.pause(caller=request.caller, uid=uid)  # type: ignore[attr-defined]
        return self._answer(request, uid)

    @extend_schema(request=None, responses=io.RolloutOut)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        rollouts.resume(caller=request.caller, uid=uid)  # type: ignore[attr-defined]
        return self._answer(request, uid)

    @extend_schema(request=io.ReasonIn, responses=io.RolloutOut)
    @action(detail=True, methods=["post"])
    def abort(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        reason = self._reason(request)
        rollouts.abort(caller=request.caller, uid=uid, reason=reason)  # type: ignore[attr-defined]
        return self._answer(request, uid)

    @extend_schema(request=io.ReasonIn, responses=io.RolloutOut)
    @action(detail=True, methods=["post"])
    def rollback(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        reason = self._reason(request)
        rollouts.rollback(caller=request.caller, uid=uid, reason=reason)  # type: ignore[attr-defined]
        return self._answer(request, uid)
