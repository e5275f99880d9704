"""Policies and findings over REST."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors as accounts
from accounts.http import caller_of
from accounts.models import User, Workspace
from accounts.roles import Capability
from common.errors import Invalid, NotFound
from governance import selectors
from governance.api import serializers as api
from governance.filters import FindingFilter
from governance.models import Finding, Policy
from governance.services import findings, policies
from registry import selectors as registry


@extend_schema_view(
    list=extend_schema(summary="Policies with their newest revision"),
    retrieve=extend_schema(summary="One policy"),
)
class PolicyViewSet(viewsets.ReadOnlyModelViewSet[Policy]):
    """What must be true, and who must sign, for a tier in an environment. Revised, never edited."""

    queryset = Policy.objects.none()
    serializer_class = api.PolicyOut
    filter_backends = ()
    lookup_field = "uid"
    lookup_value_converter = "uuid"
    capabilities: ClassVar = {
        "list": Capability.VIEW,
        "retrieve": Capability.VIEW,
        "create": Capability.POLICY_EDIT,
        "revise": Capability.POLICY_EDIT,
    }

    def get_queryset(self) -> QuerySet[Policy]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        workspace = caller_of(self.request).workspace
        return Policy.objects.filter(workspace=workspace).prefetch_related("revisions")

    @extend_schema(summary="Write a policy", request=api.PolicyIn, responses={201: api.PolicyOut})
    def create(self, request: Request, version: str | None = None) -> Response:
        """``source`` is YAML or JSON; every problem comes back with its field and line."""
        given = _read(api.PolicyIn, request)
        policy = policies.create(caller=caller_of(request), source=given["source"])
        return Response(api.PolicyOut(policy).data, status=201)

    @extend_schema(
        summary="Give a policy its next revision",
        request=api.RevisionIn,
        responses={201: api.RevisionOut},
    )
    @action(detail=True, methods=["post"])
    def revise(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """Open requests keep the revision that they were opened under."""
        given = _read(api.RevisionIn, request)
        policy = self.get_queryset().filter(uid=uid).first()
        if policy is None:
            raise NotFound("There is no such policy here.")
        revision = policies.revise(caller=caller_of(request), policy=policy, **given)
        return Response(api.RevisionOut(revision).data, status=201)


@extend_schema_view(
    list=extend_schema(summary="Findings, the newest first"),
    retrieve=extend_schema(summary="One finding"),
)
class FindingViewSet(viewsets.ReadOnlyModelViewSet[Finding]):
    """What must be dealt with, by somebody, by a date."""

    queryset = Finding.objects.none()
    serializer_class = api.FindingOut
    filterset_class = FindingFilter
    lookup_field = "uid"
    lookup_value_converter = "uuid"
    capabilities: ClassVar = {
        "list": Capability.VIEW,
        "retrieve": Capability.VIEW,
        "create": Capability.FINDING_EDIT,
        "partial_update": Capability.FINDING_EDIT,
        "close": Capability.FINDING_EDIT,
    }

    def get_queryset(self) -> QuerySet[Finding]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.findings(caller_of(self.request).workspace)

    @extend_schema(summary="Open a finding", request=api.FindingIn, responses={201: api.FindingOut})
    def create(self, request: Request, version: str | None = None) -> Response:
        """Without ``due_on`` its severity sets the date; without ``owner`` the model's has it."""
        given = _read(api.FindingIn, request)
        caller = caller_of(request)
        name, number = given.pop("model", None), given.pop("version", None)
        if number is not None and name is None:
            raise Invalid("Name the model too.", fields={"model": ["Needed with a version."]})
        if name is not None and number is not None:
            given["version"] = registry.get_version(caller.workspace, name, number)
        elif name is not None:
            given["model"] = registry.get_model(caller.workspace, name)
        if "owner" in given:
            given["owner"] = person_of(caller.workspace, given["owner"])
        finding = findings.open_finding(caller=caller, **given)
        return Response(api.FindingOut(finding).data, status=201)

    @extend_schema(
        summary="Change severity, date or owner",
        request=api.FindingChangeIn,
        responses=api.FindingOut,
    )
    def partial_update(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """Of an open finding; what is not named stays."""
        given = _read(api.FindingChangeIn, request)
        caller = caller_of(request)
        if "owner" in given:
            given["owner"] = person_of(caller.workspace, given["owner"])
        finding = findings.update(caller=caller, finding=self._finding(uid), **given)
        return Response(api.FindingOut(finding).data)

    @extend_schema(
        summary="Close with a resolution", request=api.FindingCloseIn, responses=api.FindingOut
    )
    @action(detail=True, methods=["post"])
    def close(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """What was done about it; the finding stays in the list of closed ones."""
        given = _read(api.FindingCloseIn, request)
        finding = findings.close(caller=caller_of(request), finding=self._finding(uid), **given)
        return Response(api.FindingOut(finding).data)

    def _finding(self, uid: UUID) -> Finding:
        found = self.get_queryset().filter(uid=uid).first()
        if found is None:
            raise NotFound("There is no such finding here.")
        return found


def person_of(workspace: Workspace, email: str) -> User:
    """The person of this workspace with that address. Raises: Invalid."""
    found = accounts.people(workspace).filter(email__iexact=email).first()
    if found is None:
        reason = "Nobody with this address is in this workspace."
        raise Invalid(reason, fields={"owner": [reason]})
    return found


def _read(kind: Any, request: Request) -> dict[str, Any]:
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
