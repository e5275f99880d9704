"""Sources of endpoints by REST, and the door at which hooks answer."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import caller_of
from accounts.roles import Capability
from common.api.parsers import PayloadTooLarge
from registry import selectors as registry
from serving import selectors
from serving.api import serializers_sources as shapes
from serving.models import EndpointProvision
from serving.services import endpoints, hooks, provide, sources

VIEW, EDIT = Capability.VIEW, Capability.ENDPOINT_EDIT


class EndpointSourceDetail(APIView):
    """Where a model's new versions get their endpoint from."""

    capabilities: ClassVar = {"get": VIEW, "put": EDIT, "delete": EDIT}

    @extend_schema(responses=shapes.EndpointSourceOut)
    def get(self, request: Request, name: str) -> Response:
        model = registry.get_model(caller_of(request).workspace, name)
        return Response(shapes.EndpointSourceOut(sources.get(model)).data)

    @extend_schema(request=shapes.EndpointSourceIn, responses=shapes.EndpointSourceOut)
    def put(self, request: Request, name: str) -> Response:
        caller = caller_of(request)
        model = registry.get_model(caller.workspace, name)
        given = shapes.EndpointSourceIn(data=request.data)
        given.is_valid(raise_exception=True)
        with endpoints.refusals_recorded(caller=caller, name=f"hook of {model.name}"):
            sources.put(caller=caller, model=model, **given.validated_data)
        return Response(shapes.EndpointSourceOut(sources.get(model)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        caller = caller_of(request)
        sources.remove(caller=caller, model=registry.get_model(caller.workspace, name))
        return Response(status=204)


class EndpointProvisionList(generics.ListAPIView[EndpointProvision]):
    """What was tried to get a version an endpoint; POST tries again."""

    capabilities: ClassVar = {"get": VIEW, "post": EDIT}
    serializer_class = shapes.EndpointProvisionOut
    queryset = EndpointProvision.objects.none()

    def get_queryset(self) -> QuerySet[EndpointProvision]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        workspace = caller_of(self.request).workspace
        version = registry.get_version(workspace, self.kwargs["name"], self.kwargs["number"])
        return selectors.provisions_of(version)

    @extend_schema(request=None, responses={201: shapes.EndpointProvisionOut})
    def post(self, request: Request, name: str, number: int) -> Response:
        caller = caller_of(request)
        version = registry.get_version(caller.workspace, name, number)
        provision = provide.begin(version=version, caller=caller)
        return Response(shapes.EndpointProvisionOut(provision).data, status=201)


class EndpointHookAnswer(APIView):
    """A hook says where the version answers now, or why it could not stand it up.

    Once, before it expires, and signed: ``webhook-signature`` is ``v1,`` and the base64
    HMAC-SHA256, under the hook's secret, of ``{webhook-id}.{webhook-timestamp}.{body}``, where
    ``webhook-id`` is the ``id`` that the hook was told.
    """

    capabilities: ClassVar = {"post": EDIT}

    @extend_schema(
        request=shapes.HookAnswerIn,
        responses=shapes.EndpointProvisionOut,
        parameters=[
            OpenApiParameter(name, str, OpenApiParameter.HEADER, required=True)
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        ],
    )
    def post(self, request: Request, uid: UUID) -> Response:
        caller = caller_of(request)
        try:
            body = request._request.body  # the very bytes that were signed, before they are parsed
        except RequestDataTooBig:
            raise PayloadTooLarge from None
        provision = selectors.get_provision(caller.workspace, uid)
        # Its shape first: what is no answer at all need not be an event in the trail.
        given = shapes.HookAnswerIn(data=request.data)
        given.is_valid(raise_exception=True)
        hooks.insist_signed(provision=provision, headers=request.headers, body=body, caller=caller)
        content = dict(given.validated_data)
        if "failed" in content:
            ended = provide.decline(caller=caller, provision=provision, reason=content["failed"])
            return Response(shapes.EndpointProvisionOut(ended).data)
        with endpoints.refusals_recorded(caller=caller, name=str(provision.version)):
            made = provide.answer(
                caller=caller, provision=provision, url=content.pop("url"), given=content
            )
        return Response(shapes.EndpointProvisionOut(made).data)
