"""Reads of serving, always within one workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.urls import reverse

from common.db import fetch_one
from common.errors import NotFound
from registry.models import Dataset, VersionDataset
from registry.services import datasets
from serving.models import Endpoint, EndpointProvision, EndpointSource

if TYPE_CHECKING:
    from accounts.models import Workspace
    from registry.models import ModelVersion, RegisteredModel

SAMPLE_ROWS = 3
_HAS_SOURCE = "SELECT 1 FROM serving_endpointsource WHERE model_id = %s AND removed_at IS NULL"
_EMPTY = {
    "long": 0,
    "integer": 0,
    "int": 0,
    "double": 0.0,
    "float": 0.0,
    "number": 0.0,
    "boolean": False,
    "bool": False,
}


def endpoints_for(workspace: Workspace) -> QuerySet[Endpoint]:
    """The workspace's endpoints, the newest first, with version and model."""
    return (
        Endpoint.objects.filter(workspace=workspace)
        .select_related("workspace", "version__model__workspace")
        .prefetch_related("secrets")
        .order_by("-pk")
    )


def endpoints_of(version: ModelVersion) -> QuerySet[Endpoint]:
    """Every endpoint of a version, the newest first, retired ones too."""
    return endpoints_for(version.model.workspace).filter(version=version)


def endpoints_of_model(model: RegisteredModel) -> QuerySet[Endpoint]:
    """Every endpoint of a model's versions that is not retired, the newest first."""
    return endpoints_for(model.workspace).filter(version__model=model, retired_at=None)


def endpoint_for(version: ModelVersion) -> Endpoint | None:
    """The newest endpoint of the version that is not retired."""
    return (
        Endpoint.objects.filter(version=version, retired_at=None)
        .select_related("workspace", "version__model__workspace")
        .order_by("-pk")
        .first()
    )


def input_columns(version: ModelVersion) -> list[tuple[str, str, list[str]]]:
    """``registry.ports.InputColumns``: what the version's endpoints in use are sent."""
    rows = Endpoint.objects.filter(version=version, retired_at=None).order_by("name")
    return [
        (it.name, reverse("serving:endpoint-detail", args=[it.uid]), list(it.input_columns))
        for it in rows
    ]


def get_endpoint(workspace: Workspace, uid: UUID) -> Endpoint:
    """The endpoint. Raises: NotFound."""
    found = endpoints_for(workspace).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such endpoint here.", code="endpoint_not_found")
    return found


def has_source(model_id: int) -> bool:
    """Whether there is one; asked at every registration, so it is asked cheaply."""
    return fetch_one(_HAS_SOURCE, [model_id]) is not None


def source_of(model: RegisteredModel) -> EndpointSource | None:
    """Where the model's new versions get their endpoint from."""
    return (
        EndpointSource.objects.filter(model=model, removed_at=None)
        .select_related("workspace", "model")
        .prefetch_related("secrets")
        .first()
    )


def provisions_of(version: ModelVersion) -> QuerySet[EndpointProvision]:
    """Every try to get the version an endpoint, the newest first."""
    return (
        EndpointProvision.objects.filter(version=version)
        .select_related("endpoint", "message", "source")
        .order_by("-pk")
    )


def provisions_of_model(model: RegisteredModel) -> QuerySet[EndpointProvision]:
    """The same for all versions of a model."""
    return (
        EndpointProvision.objects.filter(version__model=model)
        .select_related("endpoint", "message", "version__model")
        .order_by("-pk")
    )


def get_provision(workspace: Workspace, uid: UUID) -> EndpointProvision:
    """Raises: NotFound."""
    found = (
        EndpointProvision.objects.filter(workspace=workspace, uid=uid)
        .select_related("workspace", "source__model", "version__model")
        .first()
    )
    if found is None:
        raise NotFound("Nobody asked for this answer.", code="no_such_hook")
    return found


def sample_rows(endpoint: Endpoint) -> tuple[list[dict[str, Any]], str]:
    """A few rows to try an endpoint with, and where they come from.

    The first rows of a dataset of the version that has all the columns; else rows made up from
    the signature's types.
    """
    wanted = list(endpoint.input_columns)
    used = (
        VersionDataset.objects.filter(
            version=endpoint.version_id, dataset__state=Dataset.State.READY
        )
        .select_related("dataset")
        .annotate(
            rank=Case(
                When(use="validation", then=Value(0)),
                When(use="training", then=Value(1)),
                default=Value(2),
                output_field=IntegerField(),
            )
        )
        .order_by("rank", "-dataset_id")
    )
    for dataset in (it.dataset for it in used):
        if set(wanted) <= {column["name"] for column in dataset.columns}:
            batch = next(datasets.read_batches(dataset, wanted, SAMPLE_ROWS))
            return batch.to_pylist(), f"the first rows of {dataset.name}"
    types = {
        it.get("name"): str(it.get("type", "")).lower()
        for it in endpoint.version.signature.get("inputs", ())
    }
    row = {name: _EMPTY.get(types.get(name, "double"), "") for name in wanted}
    return [dict(row) for _ in range(SAMPLE_ROWS)], "rows made up from the signature"
