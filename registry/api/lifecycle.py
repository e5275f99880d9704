"""The API's further changes: names, tags one by one, stages, the end of a version or a model."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import Capability
from common.api.serializers import StrictSerializer
from registry import selectors
from registry.api import serializers as shapes
from registry.api.views import caller_of, model_out, version_out
from registry.models import Stage
from registry.names import MAX_NAME
from registry.services import models, stages, tags
from registry.services.rename import rename

TAG = 5000


class RenameIn(StrictSerializer):
    name = serializers.CharField(max_length=MAX_NAME, trim_whitespace=False)


class RetiredIn(StrictSerializer):
    retired = serializers.BooleanField()


class TagIn(StrictSerializer):
    value = serializers.CharField(max_length=TAG, allow_blank=True, trim_whitespace=False)


class StageIn(StrictSerializer):
    stage = serializers.ChoiceField(choices=Stage.choices)
    archive_existing_versions = serializers.BooleanField(required=False, default=False)


class ModelRename(APIView):
    """Give the model another name; aliases, requests and history follow."""

    capabilities: ClassVar = {"post": Capability.MODEL_EDIT}

    @extend_schema(request=RenameIn, responses=shapes.ModelOut)
    def post(self, request: Request, name: str) -> Response:
        model = selectors.get_model(caller_of(request).workspace, name)
        given = RenameIn(data=request.data)
        given.is_valid(raise_exception=True)
        renamed = rename(caller=caller_of(request), model=model, name=given.validated_data["name"])
        return Response(model_out(request, renamed.name))


class ModelRetired(APIView):
    """Retire the model, so that nothing more is registered or promoted; or take that back."""

    capabilities: ClassVar = {"post": Capability.MODEL_EDIT}

    @extend_schema(request=RetiredIn, responses=shapes.ModelOut)
    def post(self, request: Request, name: str) -> Response:
        model = selectors.get_model(caller_of(request).workspace, name)
        given = RetiredIn(data=request.data)
        given.is_valid(raise_exception=True)
        models.set_retired(
            caller=caller_of(request), model=model, retired=given.validated_data["retired"]
        )
        return Response(model_out(request, name))


class ModelTag(APIView):
    """One tag of a model: PUT lets it stand, DELETE takes it off; the others stay."""

    capabilities: ClassVar = {"put": Capability.MODEL_EDIT, "delete": Capability.MODEL_EDIT}

    @extend_schema(request=TagIn, responses=shapes.ModelOut)
    def put(self, request: Request, name: str, key: str) -> Response:
        model = selectors.get_model(caller_of(request).workspace, name)
        given = TagIn(data=request.data)
        given.is_valid(raise_exception=True)
        value = given.validated_data["value"]
        tags.set_on_model(caller=caller_of(request), model=model, key=key, value=value)
        return Response(model_out(request, name))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, key: str) -> Response:
        model = selectors.get_model(caller_of(request).workspace, name)
        tags.delete_from_model(caller=caller_of(request), model=model, key=key)
        return Response(status=204)


class VersionTag(APIView):
    """One tag of a version. What fills the release is set when it is registered, or never."""

    capabilities: ClassVar = {"put": Capability.MODEL_EDIT, "delete": Capability.MODEL_EDIT}

    @extend_schema(request=TagIn, responses=shapes.VersionDetailOut)
    def put(self, request: Request, name: str, number: int, key: str) -> Response:
        version = selectors.get_version(caller_of(request).workspace, name, number)
        given = TagIn(data=request.data)
        given.is_valid(raise_exception=True)
        value = given.validated_data["value"]
        tags.set_on_version(caller=caller_of(request), version=version, key=key, value=value)
        return Response(version_out(request, name, number))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, number: int, key: str) -> Response:
        version = selectors.get_version(caller_of(request).workspace, name, number)
        tags.delete_from_version(caller=caller_of(request), version=version, key=key)
        return Response(status=204)


class VersionStage(APIView):
    """Put a version into one of MLflow's stages: a label, which moves no traffic."""

    capabilities: ClassVar = {"post": Capability.MODEL_EDIT}

    @extend_schema(request=StageIn, responses=shapes.VersionDetailOut)
    def post(self, request: Request, name: str, number: int) -> Response:
        version = selectors.get_version(caller_of(request).workspace, name, number)
        given = StageIn(data=request.data)
        given.is_valid(raise_exception=True)
        stages.transition(
            caller=caller_of(request),
            version=version,
            stage=given.validated_data["stage"],
            archive_existing=given.validated_data["archive_existing_versions"],
        )
        return Response(version_out(request, name, number))
