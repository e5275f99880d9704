"""Reads of the registry, always within one workspace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from django.db.models import Count, F, Max, Q, QuerySet

from common.errors import Conflict, Invalid, NotFound
from registry.models import (
    Alias,
    Dataset,
    Environment,
    ImportRun,
    ModelVersion,
    RegisteredModel,
)
from registry.names import why_not_a_name
from registry.narrowing import models_about

if TYPE_CHECKING:
    from accounts.models import User, Workspace

#: Protected in every workspace, whatever its environments are called (DESIGN 2).
ALWAYS_PROTECTED = "champion"
_MAX_INTEGER = 2**31 - 1


class AliasSpan(NamedTuple):
    """An alias stood on this version from ``since`` until ``until`` (None: it still does)."""

    alias: str
    version: ModelVersion
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Live:
    """What is live of one model in one environment, and since when."""

    model: RegisteredModel
    environment: Environment
    version: ModelVersion
    since: datetime
    until: datetime | None
    reference: str


def is_member(user: User, workspace: Workspace) -> bool:
    """Whether this active person holds any role in the workspace."""
    return user.is_active and user.memberships.filter(workspace=workspace).exists()


def models_for(workspace: Workspace) -> QuerySet[RegisteredModel]:
    """The workspace's models by name, each with its owner; ``with_counts`` adds to a page."""
    return (
        RegisteredModel.objects.filter(workspace=workspace, deleted_at=None)
        .select_related("owner", "workspace")
        .order_by("name")
    )


def with_counts(models: Iterable[RegisteredModel]) -> list[RegisteredModel]:
    """The same models with ``versions_count`` and ``latest_number``; one query for a page."""
    found = list(models)
    rows = (
        ModelVersion.objects.filter(model__in=[it.pk for it in found], deleted_at=None)
        .order_by()
        .values_list("model")
        .annotate(Count("pk"), Max("number"))
    )
    counted = {model: (count, latest) for model, count, latest in rows}
    for it in found:
        count, latest = counted.get(it.pk, (0, None))
        it.versions_count, it.latest_number = count, latest  # type: ignore[attr-defined]
    return found


def search(models: QuerySet[RegisteredModel], text: str) -> QuerySet[RegisteredModel]:
    """Those whose name, purpose, description or tags answer, or whose owner is so called."""
    return models_about(models, text)


def get_model(workspace: Workspace, name: str) -> RegisteredModel:
    """The model of that name. Raises: NotFound."""
    if why_not_a_name(name) is None:
        found = (
            RegisteredModel.objects.filter(workspace=workspace, name=name, deleted_at=None)
            .select_related("owner", "workspace")
            .first()
        )
        if found is not None:
            return found
    raise NotFound(f"There is no model “{_short(name)}” here.", code="model_not_found")


def versions_for(model: RegisteredModel) -> QuerySet[ModelVersion]:
    """A model's versions, the newest first, with who registered them."""
    return (
        ModelVersion.objects.filter(model=model, deleted_at=None)
        .select_related("model__workspace", "created_by", "created_through")
        .order_by("-number")
    )


def get_version(workspace: Workspace, name: str, number: int) -> ModelVersion:
    """Version ``number`` of the model of that name. Raises: NotFound."""
    model = get_model(workspace, name)
    if 0 < number <= _MAX_INTEGER:
        found = versions_for(model).filter(number=number).first()
        if found is not None:
            return found
    raise NotFound(f"{model.name} has no version {str(number)[:20]}.", code="version_not_found")


def environments(workspace: Workspace) -> QuerySet[Environment]:
    """In their order on the way to users."""
    return Environment.objects.filter(workspace=workspace).order_by("position")


def get_environment(workspace: Workspace, name: str) -> Environment:
    """The environment of that name. Raises: NotFound."""
    if why_not_a_name(name) is None:
        found = environments(workspace).filter(name=name).first()
        if found is not None:
            return found
    raise NotFound(f"There is no environment “{_short(name)}” here.", code="environment_not_found")


def protected_aliases(workspace: Workspace) -> frozenset[str]:
    """Names that only an approved promotion moves."""
    return frozenset(environments(workspace).values_list("alias", flat=True)) | {ALWAYS_PROTECTED}


def open_aliases(model: RegisteredModel) -> QuerySet[Alias]:
    """Where each of the model's aliases stands now."""
    return Alias.objects.filter(model=model, ended_at=None).select_related("version__model")


def get_alias(model: RegisteredModel, name: str) -> Alias:
    """Where this alias stands now. Raises: NotFound."""
    if why_not_a_name(name) is None:
        found = open_aliases(model).filter(name=name).first()
        if found is not None:
            return found
    raise NotFound(f"{model.name} has no alias “{_short(name)}”.", code="alias_not_found")


def alias_history(model: RegisteredModel) -> QuerySet[Alias]:
    """Every place every alias of the model ever stood, the newest first."""
    return (
        Alias.objects.filter(model=model)
        .select_related("version__model")
        .order_by("-started_at", "-pk")
    )


def as_of(model: RegisteredModel, at: datetime) -> list[AliasSpan]:
    """Where each alias stood at that moment, by name."""
    rows = (
        Alias.objects.filter(standing_at(at), model=model)
        .select_related("version__model")
        .order_by("name")
    )
    return [AliasSpan(it.name, it.version, it.started_at, it.ended_at) for it in rows]


def live_version(model: RegisteredModel, environment_name: str) -> ModelVersion | None:
    """The version that the environment's alias stands on now, if any."""
    alias = (
        Alias.objects.filter(
            model=model,
            ended_at=None,
            name__in=Environment.objects.filter(
                workspace=model.workspace_id, name=environment_name
            ).values("alias"),
        )
        .select_related("version__model__workspace")
        .first()
    )
    return alias.version if alias is not None else None


def live_versions(
    workspace: Workspace,
    *,
    models: Iterable[RegisteredModel] | None = None,
    at: datetime | None = None,
) -> list[Live]:
    """What is (or at ``at`` was) live, by model and environment; three queries however many."""
    by_alias = {it.alias: it for it in environments(workspace)}
    standing = Q(ended_at=None) if at is None else standing_at(at)
    rows = Alias.objects.filter(
        standing, model__workspace=workspace, name__in=list(by_alias)
    ).select_related("version", "model__owner")
    if models is not None:
        rows = rows.filter(model__in=[it.pk for it in models])
    live = [
        Live(it.model, by_alias[it.name], it.version, it.started_at, it.ended_at, it.reference)
        for it in rows
    ]
    return sorted(live, key=lambda it: (it.model.name, it.environment.position))


def datasets_for(workspace: Workspace) -> QuerySet[Dataset]:
    """The workspace's datasets, the newest first."""
    return Dataset.objects.filter(workspace=workspace).select_related("workspace").order_by("-pk")


def get_dataset(workspace: Workspace, name: str, *, field: str = "") -> Dataset:
    """The dataset of that name. Raises: NotFound (or Invalid for ``field`` when one is named)."""
    if why_not_a_name(name) is None:
        found = datasets_for(workspace).filter(name=name).first()
        if found is not None:
            return found
    reason = f"There is no dataset “{_short(name)}” here."
    if field:
        raise Invalid(reason, code="dataset_not_found", fields={field: [reason]})
    raise NotFound(reason, code="dataset_not_found")


def imports_for(workspace: Workspace) -> QuerySet[ImportRun]:
    """The workspace's imports of other registries, the newest first."""
    return ImportRun.objects.filter(workspace=workspace).order_by("-pk")


def get_import(workspace: Workspace, uid: UUID) -> ImportRun:
    """The import. Raises: NotFound."""
    found = imports_for(workspace).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such import here.", code="import_not_found")
    return found


def insist_ready(dataset: Dataset) -> Dataset:
    """The dataset, when its table can be read. Raises: Conflict."""
    if dataset.state != Dataset.State.READY:
        raise Conflict(f"{dataset.name} cannot be read yet.", code="dataset_not_ready")
    return dataset


def unmapped_authors(version: ModelVersion) -> list[str]:
    """Identities that no person stands behind; each of them blocks approval."""
    return list(
        version.authors.filter(user=None).order_by("identity").values_list("identity", flat=True)
    )


def standing_at(at: datetime) -> Q:
    """Rows of alias history that held at that moment."""
    return (
        Q(started_at__lte=at)
        & (Q(ended_at=None) | Q(ended_at__gt=at))
        & ~Q(started_at=F("ended_at"))
    )


def _short(name: str) -> str:
    shown = name if len(name) <= 80 else name[:80] + "…"
    return shown.replace("\x00", "�")
