"""The API of artifacts: what is stored, its bytes, and uploads whole or in parts."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import Capability
from common.api.parsers import PayloadTooLarge, StrictJSONParser
from common.errors import Invalid
from registry import selectors
from registry.api import serializers_artifacts as shapes
from registry.api.streams import RawParser, body_of, doors, download, length_of
from registry.api.views import caller_of
from registry.filters_artifacts import ArtifactFilter
from registry.models import Artifact, ArtifactUpload
from registry.selectors_artifacts import (
    artifacts_for,
    get_artifact,
    get_upload,
    insist_sha256,
    listed_artifacts,
)
from registry.services import artifacts, uploads

VIEW, EDIT = Capability.VIEW, Capability.MODEL_EDIT
_BYTES = {"application/octet-stream": OpenApiTypes.BINARY}
_OFFSET = OpenApiParameter(
    "Upload-Offset", int, OpenApiParameter.HEADER, required=True, description="bytes before it"
)
_NAME = OpenApiParameter("name", str, description="what you call the file; shown, never a path")


class RawBodyView(APIView):
    """A view whose body is bytes: its length is looked at before anything else happens."""

    parser_classes = [RawParser]
    most_setting = "ARTIFACT_MAX_BYTES"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Before a session's CSRF check, which reads a form's body whole.
        most = getattr(settings, self.most_setting)
        if length_of(request) > most:
            raise PayloadTooLarge(f"The body may have at most {most:,} bytes.")
        if (request.content_type or "").startswith("multipart/"):
            raise Invalid("Send the bytes as application/octet-stream.", code="not_bytes")
        super().initial(request, *args, **kwargs)


class ArtifactList(generics.ListAPIView[Artifact]):
    """The workspace's artifacts, the newest first."""

    capabilities: ClassVar = {"get": VIEW}
    serializer_class = shapes.ArtifactOut
    filterset_class = ArtifactFilter
    queryset = Artifact.objects.none()

    def get_queryset(self) -> QuerySet[Artifact]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return artifacts_for(caller_of(self.request).workspace)


class ArtifactDetail(RawBodyView):
    """One artifact; PUT stores its bytes in one request, checked against the digest in the path."""

    capabilities: ClassVar = {"get": VIEW, "put": EDIT}

    @extend_schema(responses=shapes.ArtifactDetailOut)
    def get(self, request: Request, sha256: str) -> Response:
        artifact = get_artifact(caller_of(request).workspace, sha256)
        return Response(shapes.ArtifactDetailOut(artifact).data)

    @extend_schema(
        parameters=[_NAME],
        request=_BYTES,
        responses={200: shapes.ArtifactDetailOut, 201: shapes.ArtifactDetailOut},
    )
    def put(self, request: Request, sha256: str) -> Response:
        caller = caller_of(request)
        digest = insist_sha256(sha256)
        name = request.query_params.get("name", "") or f"{digest[:12]}.bin"
        with artifacts.refusals_recorded(caller=caller, sha256=digest), doors.one():
            artifact, is_new = artifacts.put(
                caller=caller,
                sha256=digest,
                name=name,
                size=length_of(request),
                source=body_of(request),
            )
        body = shapes.ArtifactDetailOut(artifact).data
        return Response(body, status=201 if is_new else 200)


class ArtifactContent(APIView):
    """The bytes: whole, or one range."""

    capabilities: ClassVar = {"get": VIEW}

    @extend_schema(
        parameters=[OpenApiParameter("Range", str, OpenApiParameter.HEADER)],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="You have it: its ETag is its digest."),
            416: OpenApiResponse(description="It is not that long."),
        },
    )
    def get(self, request: Request, sha256: str) -> HttpResponseBase:
        return download(request, get_artifact(caller_of(request).workspace, sha256))


class ArtifactInspect(APIView):
    """Inspect once more what could not be inspected."""

    capabilities: ClassVar = {"post": EDIT}

    @extend_schema(request=None, responses={202: shapes.ArtifactDetailOut})
    def post(self, request: Request, sha256: str) -> Response:
        caller = caller_of(request)
        artifact = get_artifact(caller.workspace, sha256)
        artifact = artifacts.inspect_again(caller=caller, artifact=artifact)
        return Response(shapes.ArtifactDetailOut(artifact).data, status=202)


class UploadList(APIView):
    """Begin an upload in parts."""

    capabilities: ClassVar = {"post": EDIT}

    @extend_schema(request=shapes.UploadIn, responses={201: shapes.UploadOut})
    def post(self, request: Request) -> Response:
        caller = caller_of(request)
        given = shapes.UploadIn(data=request.data)
        given.is_valid(raise_exception=True)
        with artifacts.refusals_recorded(caller=caller):
            upload = uploads.begin(caller=caller, **given.validated_data)
        return _said(upload, status=201)


class UploadDetail(RawBodyView):
    """One upload: how far it is; PATCH adds the part at ``Upload-Offset``, DELETE gives it up."""

    capabilities: ClassVar = {"get": EDIT, "patch": EDIT, "delete": EDIT}
    most_setting = "ARTIFACT_PART_BYTES"

    @extend_schema(responses=shapes.UploadOut)
    def get(self, request: Request, uid: UUID) -> Response:
        return _said(get_upload(caller_of(request), uid))

    @extend_schema(parameters=[_OFFSET], request=_BYTES, responses=shapes.UploadOut)
    def patch(self, request: Request, uid: UUID) -> Response:
        caller = caller_of(request)
        upload = get_upload(caller, uid)
        offset = _offset(request)
        with doors.one():
            upload = uploads.add_part(
                caller=caller,
                upload=upload,
                offset=offset,
                size=length_of(request),
                source=body_of(request),
            )
        return _said(upload)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, uid: UUID) -> Response:
        caller = caller_of(request)
        uploads.give_up(caller=caller, upload=get_upload(caller, uid))
        return Response(status=204)


class UploadComplete(APIView):
    """All parts are there: check the whole and make the artifact (202: a job checks a big one)."""

    capabilities: ClassVar = {"post": EDIT}
    parser_classes = [StrictJSONParser]

    @extend_schema(
        request=shapes.CompleteIn, responses={201: shapes.UploadOut, 202: shapes.UploadOut}
    )
    def post(self, request: Request, uid: UUID) -> Response:
        caller = caller_of(request)
        given = shapes.CompleteIn(data=request.data)
        given.is_valid(raise_exception=True)
        upload = get_upload(caller, uid)
        sha256 = given.validated_data.get("sha256", "")
        with artifacts.refusals_recorded(caller=caller, sha256=sha256 or upload.sha256):
            upload = uploads.complete(caller=caller, upload=upload, sha256=sha256)
        waits = upload.state == ArtifactUpload.State.VERIFYING
        return _said(upload, status=202 if waits else 201)


class VersionArtifacts(APIView):
    """What a version's release names, each stored here or only referenced."""

    capabilities: ClassVar = {"get": VIEW}

    @extend_schema(responses=shapes.ListedArtifactOut(many=True))
    def get(self, request: Request, name: str, number: int) -> Response:
        version = selectors.get_version(caller_of(request).workspace, name, number)
        return Response(shapes.ListedArtifactOut(listed_artifacts(version), many=True).data)


def _offset(request: Request) -> int:
    text = request.META.get("HTTP_UPLOAD_OFFSET", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        reason = "The header Upload-Offset says how many bytes come before this part."
        raise Invalid(reason, code="offset_required", fields={"Upload-Offset": [reason]})
    return int(text)


def _said(upload: ArtifactUpload, status: int = 200) -> Response:
    answer = Response(shapes.UploadOut(upload).data, status=status)
    answer["Upload-Offset"] = str(upload.received)
    answer["Cache-Control"] = "no-store"
    return answer
