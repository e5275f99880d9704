"""Searching by REST, and the saved views of the pages."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import Capability
from common.errors import NotFound
from registry.api import serializers_find as shapes
from registry.api.views import caller_of
from registry.fulltext import find
from registry.models import SavedView
from registry.services import views

PAGE = 25


class Search(APIView):
    """Models, versions and datasets by words and filters, the best first."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(parameters=[shapes.SearchQuery], responses=shapes.SearchOut)
    def get(self, request: Request) -> Response:
        query = shapes.SearchQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        given = query.validated_data
        workspace = caller_of(request).workspace
        question = query.question()
        sorts = [given["type"]] if "type" in given else list(find.SORTS)
        found = {sort: find.candidates(workspace, question, sort) for sort in sorts}
        merged = sorted(
            ((rank, pk, sort) for sort in sorts for pk, rank in found[sort].ranked),
            key=lambda it: (-it[0], sorts.index(it[2])),
        )
        start, limit = given.get("cursor", 0), given.get("limit", PAGE)
        page = merged[start : start + limit]
        by_sort = {
            sort: {
                hit.thing.pk: hit
                for hit in find.load(
                    workspace, question, sort, [(pk, rank) for rank, pk, of in page if of == sort]
                )
            }
            for sort in sorts
        }
        hits = [by_sort[sort][pk] for _, pk, sort in page if pk in by_sort[sort]]
        more = start + limit < len(merged)
        body = {
            "totals": [
                {"type": sort, "total": it.total, "more": it.capped} for sort, it in found.items()
            ],
            "results": [_hit(hit) for hit in hits],
            "next": _next(request, start + limit) if more else None,
        }
        return Response(shapes.SearchOut(body).data)


class SavedViews(generics.ListAPIView[SavedView]):
    """Your saved views and those that others share; POST saves one."""

    # A view is a person's own bookmark: whoever may look may keep one.
    capabilities: ClassVar = {"get": Capability.VIEW, "post": Capability.VIEW}
    serializer_class = shapes.SavedViewOut
    filter_backends = []
    queryset = SavedView.objects.none()

    def get_queryset(self) -> QuerySet[SavedView]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        caller = caller_of(self.request)
        return SavedView.objects.filter(
            Q(owner=caller.user) | Q(is_shared=True), workspace=caller.workspace
        ).select_related("owner")

    @extend_schema(request=shapes.SavedViewIn, responses={201: shapes.SavedViewOut})
    def post(self, request: Request) -> Response:
        given = shapes.SavedViewIn(data=request.data)
        given.is_valid(raise_exception=True)
        content: dict[str, Any] = {
            "page": SavedView.Page.INVENTORY,
            "query": "",
            "is_shared": False,
        }
        view = views.save(caller=caller_of(request), **(content | dict(given.validated_data)))
        return Response(shapes.SavedViewOut(view).data, status=201)


class SavedViewDetail(APIView):
    """Rename one of your own saved views, share it, or delete it."""

    capabilities: ClassVar = {"patch": Capability.VIEW, "delete": Capability.VIEW}

    @extend_schema(request=shapes.SavedViewPatch, responses=shapes.SavedViewOut)
    def patch(self, request: Request, uid: UUID) -> Response:
        given = shapes.SavedViewPatch(data=request.data)
        given.is_valid(raise_exception=True)
        caller = caller_of(request)
        own = SavedView.objects.filter(workspace=caller.workspace, owner=caller.user, uid=uid)
        known = own.first()
        if known is None:
            raise NotFound("You have no such saved view.", code="view_not_found")
        content: dict[str, Any] = {"name": known.name, "is_shared": known.is_shared}
        view = views.rename(caller=caller, uid=uid, **(content | dict(given.validated_data)))
        return Response(shapes.SavedViewOut(view).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, uid: UUID) -> Response:
        views.delete(caller=caller_of(request), uid=uid)
        return Response(status=204)


def _hit(hit: find.Hit) -> dict[str, Any]:
    thing = hit.thing
    if hit.sort == "version":
        name, version, digest = thing.model.name, thing.number, thing.release_digest
        url = reverse("registry:version-detail", args=[name, version])
    else:
        name, version, digest = thing.name, None, getattr(thing, "digest", "")
        url = reverse(f"registry:{hit.sort}-detail", args=[name])
    return {
        "type": hit.sort,
        "name": name,
        "version": version,
        "digest": digest,
        "rank": hit.rank,
        "live": hit.live,
        "excerpts": [_excerpt(where, segments) for where, segments in hit.excerpts],
        "url": url,
    }


def _excerpt(where: str, segments: list[Any]) -> dict[str, Any]:
    text, marks = "", []
    for segment in segments:
        if segment.hit:
            marks.append([len(text), len(text) + len(segment.text)])
        text += segment.text
    return {"field": where, "text": text, "marks": marks}


def _next(request: Request, cursor: int) -> str:
    query = request.query_params.copy()
    query["cursor"] = str(cursor)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
