"""Oneself, tokens, people and service accounts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import selectors
from accounts.api.serializers import (
    MemberOut,
    MeOut,
    NewTokenOut,
    ServiceAccountIn,
    ServiceAccountOut,
    TokenIn,
    TokenOut,
)
from accounts.callers import Caller
from accounts.models import ApiToken, ServiceAccount, User
from accounts.roles import Capability
from accounts.services import service_accounts, tokens
from common.errors import Invalid, NotFound


def _caller(request: Request) -> Caller:
    return request.caller  # type: ignore[attr-defined,no-any-return]


class MeView(APIView):
    """Who the caller is, where, and what they may do."""

    capabilities = {"get": Capability.VIEW}

    @extend_schema(operation_id="me", responses=MeOut)
    def get(self, request: Request) -> Response:
        caller = _caller(request)
        is_machine = caller.service_account is not None
        body = {
            "pid": caller.actor.pid,
            "kind": "service_account" if is_machine else "person",
            "name": caller.label,
            "email": "" if is_machine or caller.user is None else caller.user.email,
            "workspace": {"slug": caller.workspace.slug, "name": caller.workspace.name},
            "roles": sorted(caller.roles),
            "scopes": None if caller.scopes is None else sorted(caller.scopes),
        }
        return Response(MeOut(body).data)


class TokenListView(generics.ListAPIView):
    """Tokens: an administrator sees the workspace's, others their own. Made in sessions only."""

    capabilities = {"get": Capability.VIEW, "post": Capability.VIEW}
    serializer_class = TokenOut

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return ApiToken.objects.none()
        return selectors.tokens_seen_by(_caller(self.request))

    @extend_schema(request=TokenIn, responses={201: NewTokenOut})
    def post(self, request: Request) -> Response:
        caller = _caller(request)
        given = TokenIn(data=request.data)
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)
        pid = values.pop("service_account", None)
        holder: dict[str, Any] = (
            {"user": caller.user}
            if pid is None
            else {"service_account": _service_account(caller, pid)}
        )
        token, text = tokens.create(workspace=caller.workspace, caller=caller, **holder, **values)
        token.token = text  # type: ignore[attr-defined]
        answer = Response(NewTokenOut(token).data, status=201)
        answer["Cache-Control"] = "no-store"
        return answer


class TokenRevokeView(APIView):
    """End a token at once."""

    capabilities = {"post": Capability.VIEW}

    @extend_schema(request=None, responses=TokenOut)
    def post(self, request: Request, key_id: str) -> Response:
        caller = _caller(request)
        token = selectors.tokens_seen_by(caller).filter(key_id=key_id).first()
        if token is None:
            raise NotFound("There is no such token.")
        return Response(TokenOut(tokens.revoke(token=token, caller=caller)).data)


class PersonListView(generics.ListAPIView):
    """The workspace's people and their roles."""

    capabilities = {"get": Capability.WORKSPACE_ADMIN}
    serializer_class = MemberOut

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return User.objects.none()
        return selectors.people(_caller(self.request).workspace)

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset) or []
        held = selectors.roles_by_person(
            _caller(self.request).workspace, [person.pk for person in page]
        )
        return [
            {
                "pid": person.pid,
                "email": person.email,
                "name": person.name,
                "is_active": person.is_active,
                "roles": sorted(held.get(person.pk, ())),
            }
            for person in page
        ]


class ServiceAccountListView(generics.ListAPIView):
    """The workspace's service accounts."""

    capabilities = {"get": Capability.WORKSPACE_ADMIN, "post": Capability.WORKSPACE_ADMIN}
    serializer_class = ServiceAccountOut

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return ServiceAccount.objects.none()
        return selectors.service_accounts(_caller(self.request).workspace)

    @extend_schema(request=ServiceAccountIn, responses={201: ServiceAccountOut})
    def post(self, request: Request) -> Response:
        caller = _caller(request)
        given = ServiceAccountIn(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        person = (
            selectors.active_people(caller.workspace)
            .filter(email__iexact=values["responsible"])
            .first()
        )
        if person is None:
            raise Invalid(
                "There is no such person here.",
                fields={"responsible": ["There is no such person in this workspace."]},
            )
        account = service_accounts.create(
            caller=caller, name=values["name"], responsible=person, roles=values["roles"]
        )
        return Response(ServiceAccountOut(account).data, status=201)


def _service_account(caller: Caller, pid: str) -> ServiceAccount:
    account = selectors.service_accounts(caller.workspace).filter(pid=pid).first()
    if account is None:
        raise NotFound("There is no such service account.")
    return account
