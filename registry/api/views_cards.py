"""Model cards over REST: read, replace as a whole, read what they said before."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import caller_of
from accounts.roles import Capability
from common.errors import Invalid
from registry import cards as cards_of
from registry import selectors, selectors_cards
from registry.api import serializers_cards as shapes
from registry.models import CardRevision, ModelVersion
from registry.services import cards

_ETAG = re.compile(r'^(?:W/)?"?(\d{1,9})"?$')


class CardDetail(APIView):
    """A version's model card. PUT replaces all of it, on top of the revision that was read."""

    capabilities: ClassVar = {"get": Capability.VIEW, "put": Capability.MODEL_EDIT}

    @extend_schema(summary="A version's model card", responses=shapes.CardOut)
    def get(self, request: Request, name: str, number: int) -> Response:
        """The revision is in the ETag, too."""
        return _answer(_version(request, name, number))

    @extend_schema(
        summary="Write a version's model card",
        request=shapes.CardIn,
        responses=shapes.CardOut,
        parameters=[
            OpenApiParameter(
                "If-Match", str, OpenApiParameter.HEADER, description="the ETag that was read"
            )
        ],
    )
    def put(self, request: Request, name: str, number: int) -> Response:
        """409 when another revision was written meanwhile. Who writes becomes an author."""
        version = _version(request, name, number)
        given = shapes.CardIn(data=request.data)
        given.is_valid(raise_exception=True)
        cards.revise(
            caller=caller_of(request),
            version=version,
            sections=given.validated_data["sections"],
            seen=_seen(request, given.validated_data.get("revision")),
        )
        return _answer(version)


class CardRevisions(generics.ListAPIView[CardRevision]):
    """Every revision of a version's card, the newest first, with its text."""

    capabilities: ClassVar = {"get": Capability.VIEW}
    serializer_class = shapes.CardRevisionOut
    queryset = CardRevision.objects.none()
    filter_backends = []

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        version = _version(self.request, self.kwargs["name"], self.kwargs["number"])
        return selectors_cards.revisions(version)


def _version(request: Request, name: str, number: int) -> ModelVersion:
    return selectors.get_version(caller_of(request).workspace, name, number)


def _seen(request: Request, revision: int | None) -> int:
    """The revision that the writer had read, from the body or from ``If-Match``."""
    header = request.headers.get("If-Match")
    if header is None:
        if revision is None:
            reason = "Say which revision you read: here, or in If-Match."
            raise Invalid(reason, code="revision_needed", fields={"revision": [reason]})
        return revision
    match = _ETAG.match(header.strip())
    if match is None:
        reason = "If-Match holds the ETag of the card as it was read."
        raise Invalid(reason, code="revision_needed", fields={"If-Match": [reason]})
    found = int(match[1])
    if revision is not None and revision != found:
        reason = "If-Match and revision name different ones."
        raise Invalid(reason, fields={"revision": [reason]})
    return found


def _answer(version: ModelVersion) -> Response:
    card = selectors_cards.card_of(version)
    missing = selectors_cards.missing(version, card)
    model = version.model
    body = {
        "model": model.name,
        "version": version.number,
        "revision": card.number if card is not None else 0,
        "digest": card.digest if card is not None else "",
        "edited_by": card.edited_by if card is not None else None,
        "created_at": card.created_at if card is not None else None,
        "sections": card.sections if card is not None else {},
        "required": [
            section.key
            for section in cards_of.SECTIONS
            if section.is_required(model.tier, model.kind)
        ],
        "missing": missing,
        "is_complete": not missing,
    }
    return Response(shapes.CardOut(body).data, headers={"ETag": f'"{body["revision"]}"'})
