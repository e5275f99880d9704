"""The REST API of evidence: ask for it, watch it, stop it, run it again."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import Caller
from accounts.http import caller_of
from accounts.roles import Capability
from common.api.parsers import PayloadTooLarge, StrictJSONParser
from evaluation import references, selectors
from evaluation.api import serializers as shapes
from evaluation.filters import EvidenceFilter
from evaluation.models import Evidence
from evaluation.services import predictions
from evaluation.services import request as requests
from evaluation.services.report import report

#: What a multipart body may have beside the two files.
_ENVELOPE = 1024 * 1024


class EvidenceList(generics.ListAPIView[Evidence]):
    """The workspace's evidence, the newest first; POST asks for some."""

    capabilities: ClassVar = {"get": Capability.VIEW, "post": Capability.EVIDENCE_RUN}
    serializer_class = shapes.EvidenceOut
    parser_classes = [StrictJSONParser, MultiPartParser]
    filterset_class = EvidenceFilter
    queryset = Evidence.objects.none()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # Before the body is read: files over the cap are not even spooled.
        length = request.META.get("CONTENT_LENGTH") or 0
        if int(length) > 2 * predictions.MAX_BYTES + _ENVELOPE:
            most = predictions.MAX_BYTES // 1024**2
            raise PayloadTooLarge(f"A predictions file has at most {most} MB.")

    def get_queryset(self) -> QuerySet[Evidence]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.evidence_for(caller_of(self.request).workspace)

    @extend_schema(
        request={
            "application/json": shapes.EvidenceIn,
            "multipart/form-data": shapes.EvidenceUploadIn,
        },
        responses={201: shapes.EvidenceDetailOut, 202: shapes.EvidenceDetailOut},
        summary="Ask for evidence",
    )
    def post(self, request: Request) -> Response:
        """202 while a job computes it; 201 for reported figures, which are complete at once."""
        is_form = (request.content_type or "").startswith("multipart/")
        kind = shapes.EvidenceUploadIn if is_form else shapes.EvidenceIn
        given = kind(data=request.data)
        given.is_valid(raise_exception=True)
        evidence = _ask(caller_of(request), given.validated_data)
        return _answer(evidence, status=201 if evidence.state == "complete" else 202)


class EvidenceDetail(APIView):
    """One piece of evidence with its result."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(responses=shapes.EvidenceDetailOut)
    def get(self, request: Request, uid: UUID) -> Response:
        return _answer(selectors.get_evidence(caller_of(request).workspace, uid))


class EvidenceCancel(APIView):
    """Stop evidence that is waiting or being computed."""

    capabilities: ClassVar = {"post": Capability.EVIDENCE_RUN}

    @extend_schema(request=None, responses=shapes.EvidenceDetailOut)
    def post(self, request: Request, uid: UUID) -> Response:
        """What runs stops at its next batch."""
        return _answer(requests.cancel(caller=caller_of(request), uid=uid))


class EvidenceRetry(APIView):
    """Run again what could not be computed or was cancelled."""

    capabilities: ClassVar = {"post": Capability.EVIDENCE_RUN}

    @extend_schema(request=None, responses={202: shapes.EvidenceDetailOut})
    def post(self, request: Request, uid: UUID) -> Response:
        """From the start, at the version's newest endpoint."""
        return _answer(requests.retry(caller=caller_of(request), uid=uid), status=202)


class ExplanationList(APIView):
    """Ask why rows of a dataset score as they do (SHAP over the endpoint)."""

    capabilities: ClassVar = {"post": Capability.EVIDENCE_RUN}

    @extend_schema(
        request=shapes.ExplanationIn,
        responses={202: shapes.EvidenceDetailOut},
        summary="Ask for an explanation",
    )
    def post(self, request: Request) -> Response:
        """The same as evidence of the kind ``explanation``."""
        given = shapes.ExplanationIn(data=request.data)
        given.is_valid(raise_exception=True)
        wish = dict(given.validated_data)
        rows = wish.pop("rows")
        wish["params"] = {**wish["params"], **({"rows": rows} if rows else {})}
        evidence = _ask(caller_of(request), {**wish, "kind": "explanation", "origin": "measured"})
        return _answer(evidence, status=202)


def _ask(caller: Caller, wish: dict[str, Any]) -> Evidence:
    workspace = caller.workspace
    version = references.version_named(workspace, model=wish["model"], version=wish["version"])
    dataset = references.dataset_named(workspace, wish["dataset"])
    if wish["origin"] == "reported":
        return report(
            caller=caller,
            version=version,
            dataset=dataset,
            metrics=wish["metrics"],
            source=wish["source"],
            kind=wish["kind"],
        )
    baseline = None
    if other := wish.get("baseline"):
        baseline = references.version_named(
            workspace, model=wish["model"], version=other, field="baseline"
        )
    with predictions.refusals_recorded(caller=caller, version=version):
        return requests.ask(
            caller=caller,
            kind=wish["kind"],
            origin=wish["origin"],
            version=version,
            dataset=dataset,
            baseline=baseline,
            endpoint=references.endpoint_with(workspace, wish.get("endpoint")),
            params=wish["params"],
            seed=wish["seed"],
            predictions=wish.get("predictions"),
            baseline_predictions=wish.get("baseline_predictions"),
        )


def _answer(evidence: Evidence, *, status: int = 200) -> Response:
    shown = Evidence.objects.with_context().get(pk=evidence.pk)
    return Response(shapes.EvidenceDetailOut(shown).data, status=status)
