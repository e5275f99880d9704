"""Versions side by side by REST: the page's tables as data."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import Capability
from common.api.serializers import StrictSerializer
from governance import compare
from governance.api.views import caller_of


class CompareQuery(StrictSerializer):
    versions = serializers.CharField(
        max_length=2000, help_text="model:3,model:4, two to six; the first is the baseline"
    )


class FigureOut(serializers.Serializer[Any]):
    value = serializers.FloatField(allow_null=True)
    lower95 = serializers.FloatField(source="lower", allow_null=True)
    upper95 = serializers.FloatField(source="upper", allow_null=True)
    verdict = serializers.CharField(
        allow_blank=True,
        help_text="against the first: better, worse, higher, lower, no difference, cannot tell",
    )
    how = serializers.CharField(allow_blank=True, help_text="paired, or intervals")


class FigureRowOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    differs = serializers.BooleanField(help_text="beyond uncertainty")
    cells = FigureOut(many=True)


class FigureTableOut(serializers.Serializer[Any]):
    dataset = serializers.CharField(allow_blank=True)
    evidence = serializers.ListField(child=serializers.UUIDField(allow_null=True))
    rows = FigureRowOut(many=True)


class SpeedRowOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    cells = serializers.ListField(child=serializers.FloatField(allow_null=True))


class SpeedTableOut(serializers.Serializer[Any]):
    measured = serializers.CharField(source="dataset")
    rows = SpeedRowOut(many=True)


class TextRowOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    hint = serializers.CharField(allow_blank=True)
    differs = serializers.BooleanField()
    cells = serializers.ListField(child=serializers.CharField(allow_blank=True))


class ComparedOut(serializers.Serializer[Any]):
    model = serializers.CharField(source="model.name")
    version = serializers.IntegerField(source="number")
    digest = serializers.CharField(source="release_digest")


class BetweenOut(serializers.Serializer[Any]):
    version = serializers.CharField()
    baseline = serializers.CharField()
    evidence = serializers.UUIDField(source="evidence.uid", allow_null=True, default=None)
    state = serializers.CharField(source="evidence.state", allow_null=True, default=None)
    flips = serializers.DictField(source="evidence.result.flips", allow_null=True, default=None)


class ImportanceOut(serializers.Serializer[Any]):
    feature = serializers.CharField()
    shares = serializers.ListField(child=serializers.FloatField(allow_null=True))


class CompareOut(serializers.Serializer[Any]):
    versions = ComparedOut(many=True)
    metrics = FigureTableOut(many=True)
    fairness = FigureTableOut(many=True)
    speed = SpeedTableOut(many=True)
    between = BetweenOut(many=True)
    release = TextRowOut(many=True)
    parameters = TextRowOut(many=True)
    reported = FigureRowOut(many=True)
    columns = TextRowOut(many=True)
    datasets = TextRowOut(many=True)
    artifacts = TextRowOut(many=True)
    sections = TextRowOut(many=True)
    importance = ImportanceOut(many=True)


class Compare(APIView):
    """Two to six versions of one or several models, cell by cell in the order asked for."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(parameters=[CompareQuery], responses=CompareOut)
    def get(self, request: Request) -> Response:
        query = CompareQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        wanted = compare.parse([query.validated_data["versions"]])
        found = compare.compare(compare.find(caller_of(request).workspace, wanted))
        body: dict[str, Any] = {
            **{it.name: getattr(found, it.name) for it in fields(found)},
            "metrics": [_table(it) for it in found.metrics],
            "fairness": [_table(it) for it in found.fairness],
            "importance": compare.importance(found),
        }
        return Response(CompareOut(body).data)


def _table(table: compare.OnDataset) -> dict[str, Any]:
    evidence = [it.uid if it else None for it in table.evidence]
    return {"dataset": table.dataset, "evidence": evidence, "rows": table.rows}
