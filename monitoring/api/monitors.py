"""Monitors over REST: made, fed with predictions and labels, read."""

from __future__ import annotations

import io
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.http import caller_of
from accounts.roles import Capability
from common.errors import NotFound
from monitoring import selectors
from monitoring.api import serializers as shapes
from monitoring.api.parsers import FORMATS
from monitoring.api.results import drift_of
from monitoring.errors import UploadTooLarge
from monitoring.models import Ingest, Monitor
from monitoring.services import ingest, monitors
from monitoring.services.monitors import Meaning
from registry import selectors as registry

_KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="the same key counts once"
)
_ROWS: Any = dict.fromkeys(FORMATS, OpenApiTypes.BINARY)


@extend_schema_view(
    list=extend_schema(summary="Monitors, by name"),
    retrieve=extend_schema(summary="One monitor"),
)
class MonitorViewSet(viewsets.ReadOnlyModelViewSet[Monitor]):
    """A monitor compares windows of predictions with a frozen reference."""

    queryset = Monitor.objects.none()
    serializer_class = shapes.MonitorOut
    filter_backends = []
    lookup_field = "uid"
    lookup_value_converter = "uuid"
    capabilities: ClassVar = {
        "list": Capability.VIEW,
        "retrieve": Capability.VIEW,
        "create": Capability.MONITOR_EDIT,
        "predictions": Capability.PREDICTIONS_WRITE,
        "labels": Capability.PREDICTIONS_WRITE,
        "drift": Capability.VIEW,
        "ingests": Capability.VIEW,
        "ingest": Capability.VIEW,
    }

    def get_queryset(self) -> QuerySet[Monitor]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.monitors_for(caller_of(self.request).workspace)

    def get_object(self) -> Monitor:
        return selectors.get_monitor(caller_of(self.request).workspace, self.kwargs["uid"])

    @extend_schema(
        summary="Make a monitor", request=shapes.MonitorIn, responses={201: shapes.MonitorOut}
    )
    def create(self, request: Request, version: str | None = None) -> Response:
        """The reference is profiled, and its score calibrated, while the caller waits."""
        given = shapes.MonitorIn(data=request.data)
        given.is_valid(raise_exception=True)
        content: dict[str, Any] = dict(given.validated_data)
        caller = caller_of(request)
        monitor = monitors.create(
            caller=caller,
            name=content["name"],
            version=registry.get_version(caller.workspace, content["model"], content["version"]),
            environment=registry.get_environment(caller.workspace, content["environment"]),
            reference=registry.get_dataset(
                caller.workspace, content["reference"], field="reference"
            ),
            meaning=Meaning(
                id=content["id_column"],
                time=content["time_column"],
                score=content["score_column"],
                label=content.get("label_column", ""),
            ),
            window_kind=content.get("window", Monitor.WindowKind.DAY),
            decision_threshold=content.get("decision_threshold"),
            watched=content.get("columns"),
            default_rule=content.get("default_rule", True),
        )
        made = selectors.get_monitor(caller.workspace, monitor.uid)
        return Response(shapes.MonitorOut(made).data, status=201)

    @extend_schema(
        summary="Send predictions",
        parameters=[_KEY],
        request=_ROWS,
        responses={202: shapes.IngestOut, 200: shapes.IngestOut},
    )
    @action(detail=True, methods=["post"])
    def predictions(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """Rows with id, time, score and every watched column, as NDJSON or Parquet.

        All rows are checked before anything is kept; one bad row refuses the whole upload. The
        same bytes, or the same Idempotency-Key, count once (200 instead of 202).
        """
        return self._receive(request, Ingest.What.PREDICTIONS)

    @extend_schema(
        summary="Send labels",
        parameters=[_KEY],
        request=_ROWS,
        responses={202: shapes.IngestOut, 200: shapes.IngestOut},
    )
    @action(detail=True, methods=["post"])
    def labels(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """Rows with id and label, 0 or 1; late ones make a new revision of their window."""
        return self._receive(request, Ingest.What.LABELS)

    @extend_schema(
        summary="What drifted, and what it did to the score",
        parameters=[shapes.DriftQuery],
        responses=shapes.DriftOut,
    )
    @action(detail=True, methods=["get"])
    def drift(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """The latest revision of each window, the oldest window first."""
        query = shapes.DriftQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        return Response(drift_of(self.get_object(), **query.validated_data))

    @extend_schema(summary="Uploads, the newest first", responses=shapes.IngestOut(many=True))
    @action(detail=True, methods=["get"])
    def ingests(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """Predictions and labels that were taken, and whether they are counted yet."""
        page: Any = self.paginate_queryset(selectors.ingests_for(self.get_object()))  # type: ignore[arg-type]
        return self.get_paginated_response(shapes.IngestOut(page, many=True).data)

    @extend_schema(summary="One upload", responses=shapes.IngestOut)
    @action(detail=True, methods=["get"])
    def ingest(
        self, request: Request, uid: UUID, ingest: UUID, version: str | None = None
    ) -> Response:
        """Poll it until ``state`` is no longer ``waiting``."""
        found = selectors.ingests_for(self.get_object()).filter(uid=ingest).first()
        if found is None:
            raise NotFound("There is no such upload here.", code="ingest_not_found")
        return Response(shapes.IngestOut(found).data)

    def _receive(self, request: Request, what: str) -> Response:
        # Before the body is read: one over the cap is not even spooled.
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            raise ParseError("Content-Length is no number.") from None
        if length > ingest.MAX_BYTES:
            raise UploadTooLarge(f"An upload has at most {ingest.MAX_BYTES // 1024**2} MB.")
        monitor, caller = self.get_object(), caller_of(request)
        body: Any = request.data
        with ingest.refusals_recorded(caller=caller, monitor=monitor):
            made, replayed = ingest.receive(
                caller=caller,
                monitor=monitor,
                what=what,
                fileobj=body if hasattr(body, "read") else io.BytesIO(),
                format=_format(request),
                idempotency_key=request.headers.get("Idempotency-Key", ""),
            )
        headers = {"Idempotency-Replayed": "true"} if replayed else {}
        return Response(
            shapes.IngestOut(made).data, status=200 if replayed else 202, headers=headers
        )


def _format(request: Request) -> str:
    media_type = (request.content_type or "").partition(";")[0].strip().lower()
    return FORMATS.get(media_type, "ndjson")
