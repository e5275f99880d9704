"""The API for those who run a model themselves: batch jobs, devices, online learners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import Caller
from accounts.roles import Capability
from common.api.parsers import StrictJSONParser
from common.errors import Invalid, NotFound
from delivery import fleet as fleets
from delivery.api import serializers_consumption as shapes
from delivery.api.parsers import LinesParser
from delivery.filters import DeviceFilter, ReceiptFilter, silent_days
from delivery.models import BatchReceipt, Device, Fallback, Recall, Snapshot
from delivery.needs import MISSING, needs_of
from delivery.services import fallbacks, fleet, learning, recalls, receipts, snapshots
from registry import kinds
from registry import selectors as registry
from registry.models import RegisteredModel

VIEW, WRITE = Capability.VIEW, Capability.PREDICTIONS_WRITE
OPERATE, EDIT = Capability.ROLLOUT_OPERATE, Capability.MODEL_EDIT
MAX_DAYS = 90


def _caller(request: Request) -> Caller:
    caller: Caller = request.caller  # type: ignore[attr-defined]
    return caller


def _model(request: Request, name: str) -> RegisteredModel:
    return registry.get_model(_caller(request).workspace, name)


def _given(shape: type[Any], request: Request) -> dict[str, Any]:
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


class ReceiptList(generics.ListAPIView[BatchReceipt]):
    """What batch runs say they used, the newest first; POST sends one, once a run."""

    capabilities: ClassVar = {"get": VIEW, "post": WRITE}
    serializer_class = shapes.ReceiptOut
    filterset_class = ReceiptFilter
    queryset = BatchReceipt.objects.none()

    def get_queryset(self) -> QuerySet[BatchReceipt]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        model = _model(self.request, self.kwargs["name"])
        found = BatchReceipt.objects.filter(model=model)
        return found.select_related("model", "environment", "version", "expected")

    @extend_schema(
        request=shapes.ReceiptIn, responses={201: shapes.ReceiptOut, 200: shapes.ReceiptOut}
    )
    def post(self, request: Request, name: str, version: str | None = None) -> Response:
        """Checked against what was live when the run began; kept whether it agrees or not.

        The same receipt again answers 200 with the first one; another for the same run is 409.
        """
        caller, model = _caller(request), _model(request, name)
        given = _given(shapes.ReceiptIn, request)
        place = given.pop("environment", "")
        if place:
            environment = registry.get_environment(caller.workspace, place)
        else:
            last = registry.environments(caller.workspace).last()
            if last is None:
                raise NotFound("There is no environment here.", code="environment_not_found")
            environment = last
        receipt, is_new = receipts.receive(
            caller=caller, model=model, environment=environment, run=receipts.Run(**given)
        )
        return Response(shapes.ReceiptOut(receipt).data, status=201 if is_new else 200)


class DeviceList(generics.ListAPIView[Device]):
    """The last that each device said, by name; POST takes one report or up to 1,000."""

    capabilities: ClassVar = {"get": VIEW, "post": WRITE}
    serializer_class = shapes.DeviceOut
    filterset_class = DeviceFilter
    queryset = Device.objects.none()
    parser_classes = [StrictJSONParser, LinesParser]

    def get_queryset(self) -> QuerySet[Device]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        days = silent_days(self.request.query_params)
        model = _model(self.request, self.kwargs["name"])
        return fleets.devices(fleets.fleet_of(model, silent_days=days))

    @extend_schema(
        request={
            "application/json": shapes.DeviceReportIn(many=True),
            "application/x-ndjson": shapes.DeviceReportIn,
        },
        responses={202: shapes.TakenOut},
    )
    def post(self, request: Request, name: str, version: str | None = None) -> Response:
        """All of them are taken or none; sent twice, or in any order, they count once."""
        model = _model(request, name)
        taken = fleet.receive(
            caller=_caller(request), model=model, reports=reports_of(request.data)
        )
        return Response({"reports": taken.reports, "late": taken.late}, status=202)


def reports_of(data: Any) -> list[fleet.Report]:
    """Reports from a body: one object, or a list of them. Raises: Invalid, ParseError."""
    rows = data if isinstance(data, list) else [data]
    if len(rows) > fleet.MAX_REPORTS:
        text = f"1 to {fleet.MAX_REPORTS:,} reports at once."
        raise Invalid(text, fields={"reports": [text]})
    return [_report(number, row) for number, row in enumerate(rows, start=1)]


def _report(number: int, row: Any) -> fleet.Report:
    if not isinstance(row, dict):
        raise ParseError(f"Report {number} is no object.")
    unknown = sorted(str(key) for key in set(row) - {"device_id", "digest", "ring", "at"})
    if unknown:
        _refuse(number, unknown[0][:100], "there is no such field.")
    for key in ("device_id", "digest", "at"):
        if not isinstance(row.get(key), str):
            _refuse(number, key, "text is needed.")
    ring = row.get("ring") or ""
    if not isinstance(ring, str):
        _refuse(number, "ring", "text, or nothing.")
    return fleet.Report(row["device_id"], row["digest"], _moment(number, row["at"]), ring)


def _moment(number: int, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text[:64])
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return _refuse(number, "at", "a time in ISO 8601 is needed.")
    if at.year < 2000:
        return _refuse(number, "at", "lies before the year 2000.")
    return at


def _refuse(number: int, key: str, why: str) -> Any:
    raise Invalid(
        f"Nothing was taken. Report {number}: {key}: {why}",
        fields={"reports": [f"{number}: {key}: {why}"]},
    )


class FleetDetail(APIView):
    """The fleet's figures: shares by version and ring, who lags behind, how it spread by day."""

    capabilities: ClassVar = {"get": VIEW}

    @extend_schema(responses=shapes.FleetOut)
    def get(self, request: Request, name: str, version: str | None = None) -> Response:
        fleet_ = fleets.fleet_of(_model(request, name))
        found = fleets.summary(fleet_)
        since = timezone.now().date() - timedelta(days=MAX_DAYS)
        return Response(
            shapes.FleetOut(
                {
                    "model": fleet_.model.name,
                    "route": fleet_.route.name if fleet_.route is not None else None,
                    "live_version": fleet_.live.number if fleet_.live is not None else None,
                    "held_version": fleet_.held.number if fleet_.held is not None else None,
                    "devices": found.devices,
                    "states": found.states,
                    "versions": found.shares,
                    "days": {
                        day.isoformat(): counts
                        for day, counts in fleets.days(fleet_.model, since=since).items()
                    },
                }
            ).data
        )


class RecallList(generics.ListAPIView[Recall]):
    """Versions that nobody may run, and those that were lifted; POST orders a recall."""

    capabilities: ClassVar = {"get": VIEW, "post": OPERATE}
    serializer_class = shapes.RecallOut
    queryset = Recall.objects.none()
    filter_backends = []

    def get_queryset(self) -> QuerySet[Recall]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        model = _model(self.request, self.kwargs["name"])
        return Recall.objects.filter(model=model).select_related("model", "version")

    @extend_schema(request=shapes.RecallIn, responses={201: shapes.RecallOut})
    def post(self, request: Request, name: str, version: str | None = None) -> Response:
        caller = _caller(request)
        model = _model(request, name)
        given = _given(shapes.RecallIn, request)
        recall = recalls.order(
            caller=caller,
            version=registry.get_version(caller.workspace, model.name, given.pop("version")),
            **given,
        )
        return Response(shapes.RecallOut(recall).data, status=201)


class RecallLift(APIView):
    """End a recall, with the reason."""

    capabilities: ClassVar = {"post": OPERATE}

    @extend_schema(request=shapes.LiftIn, responses=shapes.RecallOut)
    def post(self, request: Request, name: str, uid: UUID, version: str | None = None) -> Response:
        model = _model(request, name)
        if not Recall.objects.filter(model=model, uid=uid).exists():
            raise NotFound("There is no such recall.", code="recall_not_found")
        given = _given(shapes.LiftIn, request)
        return Response(
            shapes.RecallOut(recalls.lift(caller=_caller(request), uid=uid, **given)).data
        )


class Learning(APIView):
    """An online learner's plan: how often its state is frozen into a version, and from where."""

    capabilities: ClassVar = {"get": VIEW, "put": EDIT, "delete": EDIT}

    @extend_schema(responses=shapes.LearningOut)
    def get(self, request: Request, name: str, version: str | None = None) -> Response:
        return Response(shapes.LearningOut(learning.get_plan(_model(request, name))).data)

    @extend_schema(request=shapes.LearningIn, responses=shapes.LearningOut)
    def put(self, request: Request, name: str, version: str | None = None) -> Response:
        model = _model(request, name)
        given = _given(shapes.LearningIn, request)
        plan = learning.set_plan(caller=_caller(request), model=model, **given)
        return Response(shapes.LearningOut(plan).data)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, name: str, version: str | None = None) -> Response:
        learning.stop(caller=_caller(request), model=_model(request, name))
        return Response(status=204)


class SnapshotList(generics.ListAPIView[Snapshot]):
    """Snapshots, the newest first; POST asks for one now, or with a digest hands one in."""

    capabilities: ClassVar = {"get": VIEW, "post": EDIT}
    serializer_class = shapes.SnapshotOut
    queryset = Snapshot.objects.none()
    filter_backends = []

    def get_queryset(self) -> QuerySet[Snapshot]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        model = _model(self.request, self.kwargs["name"])
        return Snapshot.objects.filter(plan__model=model).select_related("version")

    @extend_schema(request=shapes.SnapshotIn, responses={202: shapes.SnapshotOut})
    def post(self, request: Request, name: str, version: str | None = None) -> Response:
        caller, model = _caller(request), _model(request, name)
        given = _given(shapes.SnapshotIn, request)
        if "sha256" not in given:
            if given:
                text = "A snapshot is handed in by its digest."
                raise Invalid(text, fields={"sha256": [text]})
            made = learning.ask_now(caller=caller, model=model)
        else:
            made = snapshots.hand_in(
                caller=caller,
                model=model,
                sha256=given["sha256"],
                size=given.get("size", 0),
                name=given.get("name", "snapshot.bin"),
                snapshot_uid=given.get("snapshot"),
            )
        made.refresh_from_db()
        return Response(shapes.SnapshotOut(made).data, status=202)


class VersionNeeds(APIView):
    """What this version's kind and consumption ask for, how far it is, and what does not apply."""

    capabilities: ClassVar = {"get": VIEW}

    @extend_schema(responses=shapes.NeedsOut)
    def get(self, request: Request, name: str, number: int, version: str | None = None) -> Response:
        found = registry.get_version(_caller(request).workspace, name, number)
        needs = needs_of(found)
        body = {
            "model": found.model.name,
            "version": found.number,
            "kind": found.model.kind,
            "consumption": found.consumption,
            "sentence": kinds.way(found.consumption).sentence,
            "missing": [need.item.key for need in needs if need.state == MISSING],
            "needs": needs,
        }
        return Response(shapes.NeedsOut(body).data)


class FallbackDetail(APIView):
    """The frozen version that readers take when the live one may not be used."""

    capabilities: ClassVar = {"get": VIEW, "put": OPERATE, "delete": OPERATE}

    @extend_schema(responses=shapes.FallbackOut)
    def get(self, request: Request, name: str, version: str | None = None) -> Response:
        model = _model(request, name)
        found = Fallback.objects.select_related("version").filter(model=model).first()
        if found is None:
            raise NotFound(f"{model.name} has no fallback.", code="fallback_not_found")
        return Response(shapes.FallbackOut(found).data)

    @extend_schema(request=shapes.FallbackIn, responses=shapes.FallbackOut)
    def put(self, request: Request, name: str, version: str | None = None) -> Response:
        caller = _caller(request)
        model = _model(request, name)
        given = _given(shapes.FallbackIn, request)
        wanted = registry.get_version(caller.workspace, model.name, given["version"])
        found = fallbacks.freeze(caller=caller, version=wanted, reason=given.get("reason", ""))
        return Response(shapes.FallbackOut(found).data)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, name: str, version: str | None = None) -> Response:
        fallbacks.clear(caller=_caller(request), model=_model(request, name))
        return Response(status=204)
