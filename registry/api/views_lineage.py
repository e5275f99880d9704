"""A version's lineage, links and signature checks over REST."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import caller_of
from accounts.roles import Capability
from registry import checks, lineage, selectors, selectors_lineage
from registry.api import serializers as version_shapes
from registry.api import serializers_lineage as shapes
from registry.api.views import version_out
from registry.models import ModelVersion, VersionLink
from registry.services import links


class VersionBySemantic(APIView):
    """One version by its semantic version, as by its number."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(
        operation_id="version_by_semantic",
        summary="One version by its semantic version",
        responses=version_shapes.VersionDetailOut,
    )
    def get(self, request: Request, name: str, semantic: str) -> Response:
        version = selectors_lineage.by_semantic(caller_of(request).workspace, name, semantic)
        return Response(version_out(request, name, version.number))


class Lineage(APIView):
    """What a version came from, what it calls, what came of it, and where it is live."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(summary="A version's lineage", responses=shapes.LineageOut)
    def get(self, request: Request, name: str, number: int) -> Response:
        """One step in each direction; follow ``model`` and ``version`` of a node for more."""
        return Response(shapes.LineageOut(lineage.graph(_version(request, name, number))).data)


class LinkList(generics.ListAPIView[VersionLink]):
    """Pages elsewhere about a version; POST adds one. Nothing is ever fetched from there."""

    capabilities: ClassVar = {"get": Capability.VIEW, "post": Capability.MODEL_EDIT}
    serializer_class = shapes.LinkOut
    pagination_class = None  # at most 100
    filter_backends = []
    queryset = VersionLink.objects.none()

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        version = _version(self.request, self.kwargs["name"], self.kwargs["number"])
        return version.links.all()

    @extend_schema(request=shapes.LinkIn, responses={201: shapes.LinkOut})
    def post(self, request: Request, name: str, number: int) -> Response:
        version = _version(request, name, number)
        given = shapes.LinkIn(data=request.data)
        given.is_valid(raise_exception=True)
        link = links.add(caller=caller_of(request), version=version, **given.validated_data)
        return Response(shapes.LinkOut(link).data, status=201)


class LinkDetail(APIView):
    """One link of a version."""

    capabilities: ClassVar = {"delete": Capability.MODEL_EDIT}

    @extend_schema(summary="Take a link off a version", responses={204: None})
    def delete(self, request: Request, name: str, number: int, uid: UUID) -> Response:
        links.remove(caller=caller_of(request), version=_version(request, name, number), uid=uid)
        return Response(status=204)


class SignatureCheck(APIView):
    """A version's signature against its datasets and endpoints."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(
        summary="Do a version's datasets and endpoints fit its signature?",
        parameters=[shapes.SignatureCheckQuery],
        responses=shapes.SignatureCheckOut,
    )
    def get(self, request: Request, name: str, number: int) -> Response:
        """With ``dataset`` only that one, so that CI can ask before it evaluates."""
        version = _version(request, name, number)
        query = shapes.SignatureCheckQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        declared = bool(checks.inputs_of(version))
        wanted = query.validated_data.get("dataset")
        if wanted is None:
            found = checks.checks(version)
        else:
            dataset = selectors.get_dataset(caller_of(request).workspace, wanted, field="dataset")
            selectors.insist_ready(dataset)
            found = [checks.against(version, dataset)] if declared else []
        fits = all(it.fits for it in found) if found else None
        body = {"declared": declared, "fits": fits, "checks": found}
        return Response(shapes.SignatureCheckOut(body).data)


def _version(request: Any, name: str, number: int) -> ModelVersion:
    return selectors.get_version(caller_of(request).workspace, name, number)
