"""What was live at a moment, since when, signed by whom, on which evidence."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import Capability
from common.api.serializers import StrictSerializer
from governance import as_of
from governance.api.views import caller_of
from registry import selectors

PAGE = 50


class AsOfQuery(StrictSerializer):
    at = serializers.DateTimeField(required=False, help_text="ISO 8601; now, when left out")


class InventoryAsOfQuery(AsOfQuery):
    environment = serializers.CharField(max_length=64, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=500, required=False)
    cursor = serializers.CharField(
        max_length=400, required=False, help_text="from next: where the page before ended"
    )


class SignedOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    role = serializers.CharField()
    meaning = serializers.CharField()
    at = serializers.DateTimeField()


class SpanOut(serializers.Serializer[Any]):
    """An alias at one moment, and the approval behind it."""

    alias = serializers.CharField()
    environment = serializers.CharField(
        allow_blank=True, help_text="empty for an alias that says nothing about what is live"
    )
    version = serializers.IntegerField(source="version.number")
    digest = serializers.CharField(source="version.release_digest")
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    how = serializers.CharField(help_text="approved, rolled back, or no approval")
    request = serializers.IntegerField(source="request.number", allow_null=True, default=None)
    request_digest = serializers.CharField(
        source="request.digest", allow_null=True, default=None, help_text="what was signed"
    )
    signed_by = SignedOut(many=True)
    evidence = serializers.ListField(child=serializers.CharField(), help_text="digests")


class AsOfOut(serializers.Serializer[Any]):
    model = serializers.CharField()
    at = serializers.DateTimeField()
    aliases = SpanOut(many=True)


class PlaceOut(SpanOut):
    model = serializers.CharField(source="model.name")


class InventoryAsOfOut(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    models = serializers.IntegerField()
    places = serializers.IntegerField()
    without_approval = serializers.IntegerField()
    results = PlaceOut(many=True)
    next = serializers.CharField(allow_null=True)


class ModelAsOf(APIView):
    """What every alias of a model stood on at a moment, and who had signed for it."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(parameters=[AsOfQuery], responses=AsOfOut)
    def get(self, request: Request, name: str) -> Response:
        model = selectors.get_model(caller_of(request).workspace, name)
        query = AsOfQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        at = query.validated_data.get("at") or timezone.now()
        body = {"model": model.name, "at": at, "aliases": as_of.of_model(model, at)}
        return Response(AsOfOut(body).data)


class InventoryAsOf(APIView):
    """What was live at a moment in the whole inventory, page by page."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(parameters=[InventoryAsOfQuery], responses=InventoryAsOfOut)
    def get(self, request: Request) -> Response:
        query = InventoryAsOfQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        given = query.validated_data
        at = given.get("at") or timezone.now()
        rows = as_of.live_at(
            caller_of(request).workspace, at, environment=given.get("environment", "")
        )
        found = as_of.totals(rows)
        limit = given.get("limit", PAGE)
        page = list(as_of.after(rows, given.get("cursor", ""))[: limit + 1])
        more = len(page) > limit
        body = {
            "at": at,
            "models": found.models,
            "places": found.places,
            "without_approval": found.without_approval,
            "results": as_of.explain(page[:limit]),
            "next": _next(request, at, as_of.cursor(page[limit - 1])) if more else None,
        }
        return Response(InventoryAsOfOut(body).data)


def _next(request: Request, at: Any, cursor: str) -> str:
    query = request.query_params.copy()
    # The moment is kept: the next page is of the same state, not of a later one.
    query["at"], query["cursor"] = at.isoformat(), cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
