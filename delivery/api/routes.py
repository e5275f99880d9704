"""Routes as their readers see them: what is current, and the rings it reaches."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import Caller
from accounts.roles import Capability
from common.errors import Invalid
from delivery import selectors
from delivery.api import serializers as io
from delivery.api import serializers_consumption as shapes
from delivery.current import current
from delivery.models import Route
from delivery.services import rings, routes


class RouteCurrent(APIView):
    """Which version to run now: digest, signature, files, until when, and what is called back.

    Cheap to ask often: the ETag changes only when the answer does (``If-None-Match``: 304).
    """

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(
        responses={200: io.CurrentOut, 304: None},
        parameters=[
            OpenApiParameter("ring", str, description="what this ring gets"),
            OpenApiParameter("device", str, description="what this device gets, by its ring"),
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER),
        ],
    )
    def get(self, request: Request, name: str, version: str | None = None) -> Response:
        caller: Caller = request.caller  # type: ignore[attr-defined]
        route = selectors.get_route(caller.workspace, name)
        asked = {key: request.query_params.get(key, "") for key in ("ring", "device")}
        for key, value in asked.items():
            if len(value) > 128 or "\x00" in value:
                raise Invalid("At most 128 characters.", fields={key: ["Too long."]})
        found = current(route, ring=asked["ring"], device=asked["device"])
        if caller.token is not None and found.is_live:
            routes.taken_up(route, found.live)
        headers = {
            "ETag": found.etag,
            "Cache-Control": f"private, max-age={settings.ROUTE_MAX_AGE_SECONDS}, must-revalidate",
            "Vary": "Authorization, Cookie",
        }
        if _matches(request.headers.get("If-None-Match", ""), found.etag):
            return Response(status=304, headers=headers)
        return Response(found.body, headers=headers)


class RouteRings(APIView):
    """The route's rings in order; PUT sets them anew."""

    capabilities: ClassVar = {"get": Capability.VIEW, "put": Capability.ROLLOUT_OPERATE}

    @extend_schema(responses=shapes.RingsOut)
    def get(self, request: Request, name: str, version: str | None = None) -> Response:
        return _rings(_route(request, name))

    @extend_schema(request=shapes.RingsIn, responses=shapes.RingsOut)
    def put(self, request: Request, name: str, version: str | None = None) -> Response:
        route = _route(request, name)
        given = shapes.RingsIn(data=request.data)
        given.is_valid(raise_exception=True)
        caller: Caller = request.caller  # type: ignore[attr-defined]
        rings.set_rings(caller=caller, route=route, rings=given.validated_data["rings"])
        return _rings(_route(request, name))


class RingOpen(APIView):
    """Let the next ring have the live version."""

    capabilities: ClassVar = {"post": Capability.ROLLOUT_OPERATE}

    @extend_schema(request=shapes.OpenRingIn, responses=shapes.RingsOut)
    def post(self, request: Request, name: str, version: str | None = None) -> Response:
        route = _route(request, name)
        given = shapes.OpenRingIn(data=request.data)
        given.is_valid(raise_exception=True)
        caller: Caller = request.caller  # type: ignore[attr-defined]
        rings.open_next(caller=caller, route=route, ring=given.validated_data["ring"])
        return _rings(_route(request, name))


def _route(request: Request, name: str) -> Route:
    caller: Caller = request.caller  # type: ignore[attr-defined]
    return selectors.get_route(caller.workspace, name)


def _rings(route: Route) -> Response:
    held = route.held_version
    found = {
        "route": route.name,
        "rings": list(route.rings.all()),
        "held_version": held.number if held is not None else None,
        "open_rings": route.open_rings,
    }
    return Response(shapes.RingsOut(found).data)


def _matches(header: str, etag: str) -> bool:
    """Whether one of the header's tags is ours; a weak one of the same text is, for reading."""
    tags = {tag.strip().removeprefix("W/") for tag in header[:2000].split(",")}
    return etag in tags or "*" in tags
