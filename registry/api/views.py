"""The registry's API: models, versions, aliases and what they stood on, datasets, environments."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import Caller
from accounts.roles import Capability
from common.api.parsers import PayloadTooLarge
from registry import selectors
from registry.api import serializers as shapes
from registry.filters import DatasetFilter, ModelFilter
from registry.models import Alias, Dataset, Environment, ModelVersion, RegisteredModel
from registry.semver import insist_semantic
from registry.services import aliases, datasets, deletion, gating, models, versions

#: What a multipart body may have beside the file itself.
_ENVELOPE = 1024 * 1024


def caller_of(request: Request) -> Caller:
    caller: Caller = request.caller  # type: ignore[attr-defined]
    return caller


def _with_aliases(found: QuerySet[RegisteredModel]) -> QuerySet[RegisteredModel]:
    standing = Alias.objects.filter(ended_at=None).select_related("version")
    return found.prefetch_related(Prefetch("aliases", queryset=standing, to_attr="standing"))


class ModelList(generics.ListAPIView[RegisteredModel]):
    """The workspace's models; POST registers one."""

    capabilities: ClassVar = {"get": Capability.VIEW, "post": Capability.MODEL_EDIT}
    serializer_class = shapes.ModelOut
    filterset_class = ModelFilter
    queryset = RegisteredModel.objects.none()

    def get_queryset(self) -> QuerySet[RegisteredModel]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return _with_aliases(selectors.models_for(caller_of(self.request).workspace))

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        # Counted for the page alone: over the whole inventory it would cost what that holds.
        return None if page is None else selectors.with_counts(page)

    @extend_schema(request=shapes.ModelIn, responses={201: shapes.ModelOut})
    def post(self, request: Request) -> Response:
        given = shapes.ModelIn(data=request.data)
        given.is_valid(raise_exception=True)
        content = dict(given.validated_data)
        owner = shapes.person_or_invalid(content.pop("owner", None), "owner")
        model = models.create(caller=caller_of(request), owner=owner, **content)
        return Response(model_out(request, model.name), status=201)


class ModelDetail(APIView):
    """One model."""

    capabilities: ClassVar = {
        "get": Capability.VIEW,
        "patch": Capability.MODEL_EDIT,
        "delete": Capability.MODEL_EDIT,
    }

    @extend_schema(responses=shapes.ModelOut)
    def get(self, request: Request, name: str) -> Response:
        return Response(model_out(request, name))

    @extend_schema(request=shapes.ModelPatch, responses=shapes.ModelOut)
    def patch(self, request: Request, name: str) -> Response:
        model = selectors.get_model(caller_of(request).workspace, name)
        given = shapes.ModelPatch(data=request.data)
        given.is_valid(raise_exception=True)
        content = dict(given.validated_data)
        owner = shapes.person_or_invalid(content.pop("owner", None), "owner")
        gated = content.pop("gated_at_registration", None)
        with transaction.atomic():
            models.update(caller=caller_of(request), model=model, owner=owner, **content)
            if gated is not None:
                gating.switch(caller=caller_of(request), model=model, on=gated)
        return Response(model_out(request, name))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        """Take a model out that was never live; its name is free again."""
        caller = caller_of(request)
        model = selectors.get_model(caller.workspace, name)
        with deletion.refusals_recorded(caller=caller, target=model):
            deletion.delete_model(caller=caller, model=model)
        return Response(status=204)


class VersionList(generics.ListAPIView[ModelVersion]):
    """A model's versions, the newest first; POST registers the next one."""

    capabilities: ClassVar = {"get": Capability.VIEW, "post": Capability.MODEL_EDIT}
    serializer_class = shapes.VersionOut
    queryset = ModelVersion.objects.none()
    filter_backends = []

    def get_queryset(self) -> QuerySet[ModelVersion]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        model = selectors.get_model(caller_of(self.request).workspace, self.kwargs["name"])
        found = selectors.versions_for(model)
        semantic = self.request.query_params.get("semantic_version")
        if semantic is None:
            return found
        return found.filter(semantic_version=insist_semantic(semantic))

    @extend_schema(
        parameters=[OpenApiParameter("semantic_version", str, description="only this one")]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=shapes.VersionIn, responses={201: shapes.VersionDetailOut})
    def post(self, request: Request, name: str) -> Response:
        caller = caller_of(request)
        model = selectors.get_model(caller.workspace, name)
        given = shapes.VersionIn(data=request.data)
        given.is_valid(raise_exception=True)
        version = versions.register(
            caller=caller, model=model, release=given.release(), **given.beside()
        )
        return Response(version_out(request, name, version.number), status=201)


class VersionDetail(APIView):
    """One version: its release, digest, authors and lineage. The release never changes."""

    capabilities: ClassVar = {
        "get": Capability.VIEW,
        "patch": Capability.MODEL_EDIT,
        "delete": Capability.MODEL_EDIT,
    }

    @extend_schema(responses=shapes.VersionDetailOut)
    def get(self, request: Request, name: str, number: int) -> Response:
        return Response(version_out(request, name, number))

    @extend_schema(request=shapes.VersionPatch, responses=shapes.VersionDetailOut)
    def patch(self, request: Request, name: str, number: int) -> Response:
        version = selectors.get_version(caller_of(request).workspace, name, number)
        given = shapes.VersionPatch(data=request.data)
        given.is_valid(raise_exception=True)
        versions.annotate(caller=caller_of(request), version=version, **given.validated_data)
        return Response(version_out(request, name, number))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, number: int) -> Response:
        """Take a version out that was never live; its number is never given again."""
        caller = caller_of(request)
        version = selectors.get_version(caller.workspace, name, number)
        with deletion.refusals_recorded(caller=caller, target=version):
            deletion.delete_version(caller=caller, version=version)
        return Response(status=204)


class VersionAuthors(APIView):
    """Say which person an unmapped author is (administrators, once)."""

    capabilities: ClassVar = {"post": Capability.WORKSPACE_ADMIN}

    @extend_schema(request=shapes.AuthorMapIn, responses=shapes.VersionDetailOut)
    def post(self, request: Request, name: str, number: int) -> Response:
        version = selectors.get_version(caller_of(request).workspace, name, number)
        given = shapes.AuthorMapIn(data=request.data)
        given.is_valid(raise_exception=True)
        versions.map_author(
            caller=caller_of(request),
            version=version,
            identity=given.validated_data["identity"],
            user=shapes.person_or_invalid(given.validated_data["user"], "user"),
        )
        return Response(version_out(request, name, number))


class AliasList(generics.ListAPIView[Alias]):
    """Where the model's aliases stand, or with ``history=true`` ever stood; POST moves one."""

    capabilities: ClassVar = {"get": Capability.VIEW, "post": Capability.MODEL_EDIT}
    serializer_class = shapes.AliasOut
    queryset = Alias.objects.none()
    filter_backends = []

    @extend_schema(parameters=[OpenApiParameter("history", bool, description="ended rows too")])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Alias]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        model = selectors.get_model(caller_of(self.request).workspace, self.kwargs["name"])
        if self.request.query_params.get("history", "").lower() in ("1", "true", "yes"):
            return selectors.alias_history(model)
        return selectors.open_aliases(model)

    @extend_schema(request=shapes.AliasIn, responses={200: shapes.AliasOut})
    def post(self, request: Request, name: str) -> Response:
        caller = caller_of(request)
        model = selectors.get_model(caller.workspace, name)
        given = shapes.AliasIn(data=request.data)
        given.is_valid(raise_exception=True)
        alias = given.validated_data["name"]
        version = selectors.get_version(caller.workspace, name, given.validated_data["version"])
        with aliases.refusals_recorded(caller=caller, model=model, name=alias, version=version):
            aliases.move(
                caller=caller,
                model=model,
                name=alias,
                version=version,
                reference=given.validated_data.get("reference", ""),
            )
        return Response(shapes.AliasOut(selectors.get_alias(model, alias)).data)


class AliasDetail(APIView):
    """One alias: where it stands; DELETE takes it off."""

    capabilities: ClassVar = {"get": Capability.VIEW, "delete": Capability.MODEL_EDIT}

    @extend_schema(responses=shapes.AliasOut)
    def get(self, request: Request, name: str, alias: str) -> Response:
        model = selectors.get_model(caller_of(request).workspace, name)
        return Response(shapes.AliasOut(selectors.get_alias(model, alias)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, alias: str) -> Response:
        caller = caller_of(request)
        model = selectors.get_model(caller.workspace, name)
        standing = selectors.get_alias(model, alias)
        with aliases.refusals_recorded(
            caller=caller, model=model, name=standing.name, version=None
        ):
            aliases.move(caller=caller, model=model, name=standing.name, version=None)
        return Response(status=204)


class DatasetList(generics.ListAPIView[Dataset]):
    """The workspace's datasets; POST uploads one as ``multipart/form-data``."""

    capabilities: ClassVar = {"get": Capability.VIEW, "post": Capability.DATASET_EDIT}
    serializer_class = shapes.DatasetOut
    parser_classes = [MultiPartParser]
    filterset_class = DatasetFilter
    queryset = Dataset.objects.none()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # Before the body is read: a file over the cap is not even spooled.
        length = request.META.get("CONTENT_LENGTH") or 0
        if int(length) > datasets.MAX_BYTES + _ENVELOPE:
            raise PayloadTooLarge(f"A file has at most {datasets.MAX_BYTES // 1024**2} MB.")

    def get_queryset(self) -> QuerySet[Dataset]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.datasets_for(caller_of(self.request).workspace)

    @extend_schema(
        request={"multipart/form-data": shapes.DatasetIn},
        responses={201: shapes.DatasetDetailOut, 202: shapes.DatasetDetailOut},
    )
    def post(self, request: Request) -> Response:
        given = shapes.DatasetIn(data=request.data)
        given.is_valid(raise_exception=True)
        content = dict(given.validated_data)
        file = content.pop("file")
        with datasets.refusals_recorded(caller=caller_of(request), name=content["name"]):
            dataset = datasets.upload(
                caller=caller_of(request), fileobj=file, filename=file.name or "", **content
            )
        waits = dataset.state == Dataset.State.PROFILING
        return Response(shapes.DatasetDetailOut(dataset).data, status=202 if waits else 201)


class DatasetDetail(APIView):
    """One dataset with the profile of its columns."""

    capabilities: ClassVar = {"get": Capability.VIEW}

    @extend_schema(responses=shapes.DatasetDetailOut)
    def get(self, request: Request, name: str) -> Response:
        dataset = selectors.get_dataset(caller_of(request).workspace, name)
        return Response(shapes.DatasetDetailOut(dataset).data)


class EnvironmentList(generics.ListAPIView[Environment]):
    """Where versions can be live, in order, each with its protected alias."""

    capabilities: ClassVar = {"get": Capability.VIEW}
    serializer_class = shapes.EnvironmentOut
    pagination_class = None
    filter_backends = []
    queryset = Environment.objects.none()

    def get_queryset(self) -> QuerySet[Environment]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.environments(caller_of(self.request).workspace)


def model_out(request: Request, name: str) -> Any:
    workspace = caller_of(request).workspace
    selectors.get_model(workspace, name)
    model = _with_aliases(selectors.models_for(workspace)).get(name=name)
    return shapes.ModelOut(selectors.with_counts([model])[0]).data


def version_out(request: Request, name: str, number: int) -> Any:
    version = selectors.get_version(caller_of(request).workspace, name, number)
    authors = list(version.authors.select_related("user").order_by("role", "identity"))
    used = list(version.datasets.select_related("dataset").order_by("use", "dataset__name"))
    # Fresh prefetches on the one object, so that its serializer asks nothing more.
    version._prefetched_objects_cache = {"authors": authors, "datasets": used}  # type: ignore[attr-defined]
    return shapes.VersionDetailOut(version).data
