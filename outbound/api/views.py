"""The REST API of the allow-list and the outbox. For administrators."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.http import caller_of
from accounts.roles import Capability
from outbound import selectors
from outbound.api.serializers import DestinationIn, DestinationOut, MessageOut
from outbound.models import Destination, Message
from outbound.services import destinations


@extend_schema_view(list=extend_schema(summary="The allow-list, revoked entries too"))
class DestinationViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Destination]):
    """Private addresses that may be called. Entries are added and revoked, never changed."""

    queryset = Destination.objects.none()
    serializer_class = DestinationOut
    capabilities: ClassVar = {
        "list": Capability.WORKSPACE_ADMIN,
        "create": Capability.WORKSPACE_ADMIN,
        "revoke": Capability.WORKSPACE_ADMIN,
    }

    def get_queryset(self) -> QuerySet[Destination]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.destinations_for(caller_of(self.request).workspace)

    @extend_schema(
        request=DestinationIn, responses={201: DestinationOut}, summary="Open a private address"
    )
    def create(self, request: Request, version: str | None = None) -> Response:
        given = DestinationIn(data=request.data)
        given.is_valid(raise_exception=True)
        entry = destinations.allow(**given.validated_data, caller=caller_of(request))
        return Response(DestinationOut(entry).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=DestinationOut, summary="Close it again")
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        entry = destinations.revoke(uid=uid, caller=caller_of(request))
        return Response(DestinationOut(entry).data)


class MessageFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=Message.State.choices)
    kind = django_filters.ChoiceFilter(choices=Message.Kind.choices)

    class Meta:
        model = Message
        fields = ("state", "kind")


@extend_schema_view(list=extend_schema(summary="The outbox, the newest first"))
class MessageViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Message]):
    """What was told outside, what waits, and what was given up."""

    queryset = Message.objects.none()
    serializer_class = MessageOut
    filterset_class = MessageFilter
    capabilities: ClassVar = {"list": Capability.WORKSPACE_ADMIN}

    def get_queryset(self) -> QuerySet[Message]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.messages_for(caller_of(self.request).workspace)
