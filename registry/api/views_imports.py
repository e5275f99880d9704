"""Imports of other registries by REST: read only, the command line runs them."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import caller_of
from accounts.roles import Capability
from registry import selectors
from registry.models import ImportRun


class LeftOut(serializers.Serializer[dict[str, str]]):
    """A line of the report."""

    what = serializers.CharField()
    why = serializers.CharField()


class ImportOut(serializers.ModelSerializer[ImportRun]):
    """How far an import came; ``counts`` has what came in, and how many lines were left out."""

    counts = serializers.DictField(child=serializers.IntegerField())

    class Meta:
        model = ImportRun
        fields = [
            "uid",
            "source_url",
            "state",
            "counts",
            "started_at",
            "updated_at",
            "finished_at",
        ]
        read_only_fields = fields


class ImportReport(ImportOut):
    """With the report: what was left out, and why."""

    left_out = LeftOut(many=True)

    class Meta(ImportOut.Meta):
        fields = [*ImportOut.Meta.fields, "left_out"]
        read_only_fields = fields


class ImportList(generics.ListAPIView[ImportRun]):
    """Every import of the workspace, the newest first."""

    capabilities: ClassVar = {"get": Capability.VIEW}
    serializer_class = ImportOut
    queryset = ImportRun.objects.none()

    def get_queryset(self) -> QuerySet[ImportRun]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.imports_for(caller_of(self.request).workspace)


class ImportDetail(APIView):
    """One import with its whole report."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(responses=ImportReport)
    def get(self, request: Request, uid: UUID) -> Response:
        run = selectors.get_import(caller_of(request).workspace, uid)
        return Response(ImportReport(run).data)
