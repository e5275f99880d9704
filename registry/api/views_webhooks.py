"""Webhooks by REST: the same as MLflow's calls, with the deliveries that MLflow does not keep."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import caller_of
from accounts.roles import Capability
from outbound.models import Message
from registry.api import serializers_webhooks as shapes
from registry.models import Webhook
from registry.services import deliveries, webhooks
from registry.webhook_events import named

VIEW, ADMIN = Capability.VIEW, Capability.WORKSPACE_ADMIN


class WebhookList(generics.ListAPIView[Webhook]):
    """Who is told what; POST adds one."""

    capabilities: ClassVar = {"get": VIEW, "post": ADMIN}
    serializer_class = shapes.WebhookOut
    queryset = Webhook.objects.none()

    def get_queryset(self) -> QuerySet[Webhook]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return webhooks.webhooks_of(caller_of(self.request).workspace)

    def get_serializer_context(self) -> dict[str, Any]:
        context = dict(super().get_serializer_context())
        if not getattr(self, "swagger_fake_view", False):
            context["caller"] = caller_of(self.request)
        return context

    @extend_schema(request=shapes.WebhookIn, responses={201: shapes.WebhookOut})
    def post(self, request: Request) -> Response:
        given = shapes.WebhookIn(data=request.data)
        given.is_valid(raise_exception=True)
        caller = caller_of(request)
        with webhooks.refusals_recorded(caller=caller, name=given.validated_data["name"]):
            webhook = webhooks.create(caller=caller, **given.content())
        return Response(_out(request, webhook), status=201)


class WebhookDetail(APIView):
    """One webhook. DELETE gives up what still waits for it."""

    capabilities: ClassVar = {"get": VIEW, "patch": ADMIN, "delete": ADMIN}

    @extend_schema(responses=shapes.WebhookOut)
    def get(self, request: Request, uid: UUID) -> Response:
        return Response(_out(request, _webhook(request, uid)))

    @extend_schema(request=shapes.WebhookPatch, responses=shapes.WebhookOut)
    def patch(self, request: Request, uid: UUID) -> Response:
        webhook = _webhook(request, uid)
        given = shapes.WebhookPatch(data=request.data)
        given.is_valid(raise_exception=True)
        caller = caller_of(request)
        with webhooks.refusals_recorded(caller=caller, name=webhook.name):
            changed = webhooks.update(caller=caller, webhook=webhook, **given.content())
        return Response(_out(request, changed))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, uid: UUID) -> Response:
        webhooks.delete(caller=caller_of(request), webhook=_webhook(request, uid))
        return Response(status=204)


class WebhookTest(APIView):
    """Call it now with a made-up fact. The answer is 200 whatever came of it."""

    capabilities: ClassVar = {"post": ADMIN}

    @extend_schema(request=shapes.WebhookTestIn, responses=shapes.WebhookTestOut)
    def post(self, request: Request, uid: UUID) -> Response:
        webhook = _webhook(request, uid)
        given = shapes.WebhookTestIn(data=request.data)
        given.is_valid(raise_exception=True)
        name = given.validated_data.get("event")
        result = webhooks.try_out(
            caller=caller_of(request), webhook=webhook, event=named(name) if name else None
        )
        return Response(shapes.WebhookTestOut(result).data)


class DeliveryFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=Message.State.choices)
    event = django_filters.ChoiceFilter(field_name="subject", choices=shapes.NAMES)

    class Meta:
        model = Message
        fields = ("state", "event")


class DeliveryList(generics.ListAPIView[Message]):
    """What it was told, the newest first, with what it answered. For administrators."""

    capabilities: ClassVar = {"get": ADMIN}
    serializer_class = shapes.DeliveryOut
    filterset_class = DeliveryFilter
    queryset = Message.objects.none()

    def get_queryset(self) -> QuerySet[Message]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return webhooks.deliveries_of(_webhook(self.request, self.kwargs["uid"]))


class DeliveryResend(APIView):
    """Send a delivery once more: the same body, a new id, to where the webhook points now."""

    capabilities: ClassVar = {"post": ADMIN}

    @extend_schema(request=None, responses={201: shapes.DeliveryOut})
    def post(self, request: Request, uid: UUID, delivery: UUID) -> Response:
        new = deliveries.resend(
            caller=caller_of(request), webhook=_webhook(request, uid), delivery=delivery
        )
        new.refresh_from_db()
        return Response(shapes.DeliveryOut(new).data, status=201)


def _webhook(request: Request, uid: UUID) -> Webhook:
    return webhooks.get(caller_of(request).workspace, uid)


def _out(request: Request, webhook: Webhook) -> Any:
    return shapes.WebhookOut(webhook, context={"caller": caller_of(request)}).data
