"""Promotion requests over REST: open, read, wait for clearance, sign, withdraw."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.http import caller_of
from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.api.exceptions import CONTENT_TYPE, problem
from common.errors import DomainError, NotAllowed
from governance import selectors
from governance.api import serializers as api
from governance.filters import PromotionRequestFilter
from governance.models import PromotionRequest
from governance.services import promotions, signatures
from governance.services.clearance import clearance
from governance.services.waiting import NoSeat, wait_for
from registry import selectors as registry

RETRY_AFTER_SECONDS = 5
SIGNING = frozenset({"approve", "reject"})


@extend_schema_view(
    list=extend_schema(
        summary="Promotion requests, the newest first", responses=api.RequestRowOut(many=True)
    )
)
class PromotionRequestViewSet(viewsets.ReadOnlyModelViewSet[PromotionRequest]):
    """Requests to put a version into an environment. Decided by the two signing actions only."""

    queryset = PromotionRequest.objects.none()
    serializer_class = api.RequestRowOut
    filterset_class = PromotionRequestFilter
    lookup_field = "uid"
    lookup_value_converter = "uuid"
    capabilities: ClassVar = {
        "list": Capability.VIEW,
        "retrieve": Capability.VIEW,
        "create": Capability.REQUEST_OPEN,
        "clearance": Capability.VIEW,
        "approve": Capability.REQUEST_SIGN,
        "reject": Capability.REQUEST_SIGN,
        "withdraw": Capability.REQUEST_OPEN,
        "ask": Capability.EVIDENCE_RUN,
    }

    def get_queryset(self) -> QuerySet[PromotionRequest]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.promotions(caller_of(self.request).workspace)

    def get_object(self) -> PromotionRequest:
        return selectors.get_promotion_by_uid(caller_of(self.request).workspace, self.kwargs["uid"])

    @extend_schema(summary="One request: gates, approvals, clearance", responses=api.RequestOut)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(request_data(self.get_object()))

    @extend_schema(
        summary="Ask for a version to be promoted",
        request=api.RequestIn,
        responses={201: api.RequestOut},
    )
    def create(self, request: Request, version: str | None = None) -> Response:
        """Freezes the policy, asks for missing evidence and evaluates the gates."""
        given = _read(api.RequestIn, request)
        caller = caller_of(request)
        promotion = promotions.open_request(
            caller=caller,
            version=registry.get_version(caller.workspace, given["model"], given["version"]),
            environment=registry.get_environment(caller.workspace, given["environment"]),
            comment=given.get("comment", ""),
        )
        return Response(request_data(promotion), status=201)

    @extend_schema(
        summary="Whether exactly this release is cleared",
        parameters=[
            OpenApiParameter("digest", str, required=True, description="the release digest"),
            OpenApiParameter("wait", int, description="seconds to wait, 0 to 60"),
        ],
        responses={200: api.ClearanceOut, 409: api.ClearanceOut},
    )
    @action(detail=True, methods=["get"])
    def clearance(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """200 only when cleared for exactly this release digest; else 409, waiting or blocked."""
        promotion = self.get_object()
        given = _read(api.ClearanceIn, request, data=request.query_params.dict())
        headers = {"Cache-Control": "no-store"}
        try:
            found = wait_for(promotion, given["digest"], wait_s=given["wait"])
        except NoSeat:
            found = clearance(promotion, given["digest"])
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        data = api.clearance_data(promotion, found)
        if found.state == "cleared":
            return Response(data, headers=headers)
        body = problem(
            409,
            title="Not cleared",
            code=found.state.value,
            detail=" ".join(item.message for item in found.reasons),
            **data,
        )
        return Response(body, status=409, content_type=CONTENT_TYPE, headers=headers)

    @extend_schema(summary="Sign and approve", request=api.ApproveIn, responses=api.RequestOut)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """In a browser session only, with the password again; a token is always refused."""
        given = _read(api.ApproveIn, request)
        return self._signed(request, signatures.approve, given)

    @extend_schema(summary="Sign and reject", request=api.RejectIn, responses=api.RequestOut)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """In a browser session only, with a reason and the password again."""
        given = {"meaning": "", **_read(api.RejectIn, request)}
        return self._signed(request, signatures.reject, given)

    @extend_schema(summary="Withdraw", request=api.WithdrawIn, responses=api.RequestOut)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """By who asked, the model's owner or an administrator; open or approved."""
        given = _read(api.WithdrawIn, request)
        promotion = promotions.withdraw(
            caller=caller_of(request),
            promotion=self.get_object(),
            reason=given.get("reason", ""),
        )
        return Response(request_data(promotion))

    @extend_schema(summary="Ask again for missing evidence", request=None, responses=api.RequestOut)
    @action(detail=True, methods=["post"])
    def ask(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """Asks for what is missing or failed, and evaluates the gates again."""
        promotion = promotions.refresh_gates(self.get_object(), caller=caller_of(request), ask=True)
        return Response(request_data(promotion))

    def _signed(self, request: Request, service: Any, given: dict[str, Any]) -> Response:
        session = getattr(request._request, "session", None)
        promotion = service(
            caller=caller_of(request),
            promotion=self.get_object(),
            session_key=(session.session_key or "") if session is not None else "",
            **given,
        )
        return Response(request_data(promotion))

    def handle_exception(self, exc: Exception) -> Response:
        """A refused signature is an event, whoever tried and however far it came."""
        if self.action in SIGNING and isinstance(exc, DomainError):
            record_refusal(self.request, self.kwargs.get("uid"), exc)
        return super().handle_exception(exc)


def record_refusal(request: Any, uid: UUID | None, error: DomainError) -> None:
    """Write the refused signature into the trail, in a transaction of its own."""
    try:
        caller = caller_of(request)
        promotion = selectors.get_promotion_by_uid(caller.workspace, uid) if uid else None
    except (DomainError, NotAllowed):
        return  # nobody known, or no such request here: nothing was refused for cause
    if promotion is None:
        return
    audit.refuse(
        Action.REQUEST_SIGN_REFUSED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="promotion_request",
        object_id=str(promotion.uid),
        object_name=f"{promotion} {promotion.title}",
        code=error.code,
    )


def request_data(promotion: PromotionRequest) -> Any:
    """The whole request, read afresh."""
    promotion = PromotionRequest.objects.with_context().get(pk=promotion.pk)
    context = {
        "gates": selectors.gates_of(promotion),
        "slots": selectors.slots([promotion])[promotion.pk],
        "clearance": clearance(promotion, promotion.release_digest),
    }
    return api.RequestOut(promotion, context=context).data


def _read(kind: Any, request: Request, data: Any = None) -> dict[str, Any]:
    serializer = kind(data=request.data if data is None else data)
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = dict(serializer.validated_data)
    return found
