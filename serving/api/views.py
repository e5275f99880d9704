"""Serving's API: endpoints, their probes and secrets."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import Caller
from accounts.roles import Capability
from registry import selectors as registry
from serving import selectors
from serving.api import serializers as shapes
from serving.errors import EndpointRejected, EndpointUnavailable
from serving.filters import EndpointFilter
from serving.models import Endpoint
from serving.services import endpoints


def caller_of(request: Request) -> Caller:
    caller: Caller = request.caller  # type: ignore[attr-defined]
    return caller


class EndpointList(generics.ListAPIView[Endpoint]):
    """The workspace's endpoints; POST registers one, behind the address check."""

    capabilities: ClassVar = {"get": Capability.VIEW, "post": Capability.ENDPOINT_EDIT}
    serializer_class = shapes.EndpointOut
    filterset_class = EndpointFilter
    queryset = Endpoint.objects.none()

    def get_queryset(self) -> QuerySet[Endpoint]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.endpoints_for(caller_of(self.request).workspace)

    @extend_schema(request=shapes.EndpointIn, responses={201: shapes.EndpointOut})
    def post(self, request: Request) -> Response:
        given = shapes.EndpointIn(data=request.data)
        given.is_valid(raise_exception=True)
        content = dict(given.validated_data)
        caller = caller_of(request)
        version = registry.get_version(
            caller.workspace, content.pop("model"), content.pop("version")
        )
        with endpoints.refusals_recorded(caller=caller, name=content["name"]):
            endpoint = endpoints.create(caller=caller, version=version, **content)
        return Response(_out(request, endpoint.uid), status=201)


class EndpointDetail(APIView):
    """One endpoint and what its last probe found."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(responses=shapes.EndpointOut)
    def get(self, request: Request, uid: UUID) -> Response:
        return Response(_out(request, uid))


class EndpointProbe(APIView):
    """Try a real predict. The answer is 200 whatever was found: ``code`` says what."""

    capabilities: ClassVar = {"post": Capability.ENDPOINT_EDIT}

    @extend_schema(request=shapes.ProbeIn, responses=shapes.ProbeOut)
    def post(self, request: Request, uid: UUID) -> Response:
        endpoint = selectors.get_endpoint(caller_of(request).workspace, uid)
        given = shapes.ProbeIn(data=request.data)
        given.is_valid(raise_exception=True)
        code = "ok"
        try:
            endpoints.probe(
                caller=caller_of(request),
                endpoint=endpoint,
                rows=given.validated_data.get("rows"),
            )
        except (EndpointUnavailable, EndpointRejected) as error:
            code = error.code
        return Response({"code": code, "endpoint": _out(request, uid)})


class EndpointSecrets(APIView):
    """Set or replace a header that is sent with every call. Nothing gives it back."""

    capabilities: ClassVar = {"post": Capability.ENDPOINT_EDIT}

    @extend_schema(request=shapes.SecretIn, responses={204: None})
    def post(self, request: Request, uid: UUID) -> Response:
        endpoint = selectors.get_endpoint(caller_of(request).workspace, uid)
        given = shapes.SecretIn(data=request.data)
        given.is_valid(raise_exception=True)
        endpoints.set_secret(caller=caller_of(request), endpoint=endpoint, **given.validated_data)
        return Response(status=204)


class EndpointRetire(APIView):
    """Take an endpoint out of use for good."""

    capabilities: ClassVar = {"post": Capability.ENDPOINT_EDIT}

    @extend_schema(request=None, responses=shapes.EndpointOut)
    def post(self, request: Request, uid: UUID) -> Response:
        endpoint = selectors.get_endpoint(caller_of(request).workspace, uid)
        endpoints.retire(caller=caller_of(request), endpoint=endpoint)
        return Response(_out(request, uid))


def _out(request: Request, uid: UUID) -> object:
    endpoint = selectors.get_endpoint(caller_of(request).workspace, uid)
    return shapes.EndpointOut(endpoint).data
