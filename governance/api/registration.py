"""A version's registration check over REST: read it, run it again."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import caller_of
from accounts.roles import Capability
from common.errors import NotFound
from governance import selectors
from governance.api.serializers import GateOut
from governance.models import CheckGate, RegistrationCheck
from governance.services import registration
from registry import selectors as registry
from registry.models import ModelVersion


class CheckGateOut(GateOut):
    class Meta(GateOut.Meta):
        model: Any = CheckGate


class CheckLinksOut(serializers.Serializer[Any]):
    page = serializers.URLField()


class RegistrationCheckOut(serializers.ModelSerializer[RegistrationCheck]):
    """*Fails* and *could not be computed* are two things; ``version_status`` is what a gated
    version was told."""

    model = serializers.CharField(source="version.model.name")
    version = serializers.IntegerField(source="version.number")
    version_status = serializers.CharField(source="version.status")
    status_message = serializers.CharField(source="version.status_message")
    environment = serializers.CharField(source="environment.name", allow_null=True, default=None)
    policy = serializers.CharField(
        source="policy_revision.policy.name", allow_null=True, default=None
    )
    policy_revision = serializers.IntegerField(
        source="policy_revision.number", allow_null=True, default=None
    )
    compared_with = serializers.IntegerField(
        source="live_version.number", allow_null=True, default=None
    )
    gates = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = RegistrationCheck
        fields = (
            "uid",
            "model",
            "version",
            "state",
            "is_gated",
            "version_status",
            "status_message",
            "environment",
            "policy",
            "policy_revision",
            "compared_with",
            "runs",
            "begun_at",
            "deadline_at",
            "evaluated_at",
            "gates",
            "links",
        )

    @extend_schema_field(CheckGateOut(many=True))
    def get_gates(self, check: RegistrationCheck) -> Any:
        return CheckGateOut(selectors.check_gates(check), many=True).data

    @extend_schema_field(CheckLinksOut)
    def get_links(self, check: RegistrationCheck) -> Any:
        return {"page": registration.url_of(check.version)}


class RegistrationCheckView(APIView):
    """What the policy's gates say about a version, before anybody asks to promote it."""

    capabilities: ClassVar = {"get": Capability.VIEW, "post": Capability.EVIDENCE_RUN}

    @extend_schema(summary="A version's registration check", responses=RegistrationCheckOut)
    def get(self, request: Request, name: str, number: int) -> Response:
        """404 while it has none: registered before there were checks, or where no policy is."""
        return _answer(_version(request, name, number))

    @extend_schema(
        summary="Run a version's registration check (again)",
        request=None,
        responses=RegistrationCheckOut,
    )
    def post(self, request: Request, name: str, number: int) -> Response:
        """Under the newest policy; evidence that is missing or failed is asked for again."""
        version = _version(request, name, number)
        registration.run_again(caller=caller_of(request), version=version)
        return _answer(version)


def _version(request: Request, name: str, number: int) -> ModelVersion:
    return registry.get_version(caller_of(request).workspace, name, number)


def _answer(version: ModelVersion) -> Response:
    check = selectors.check_of(version)
    if check is None:
        raise NotFound(f"{version} has no registration check.", code="no_registration_check")
    return Response(RegistrationCheckOut(check).data)
