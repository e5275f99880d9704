"""Taking versions and models out of the registry, softly: rows, numbers and history stay.

What was ever live cannot be deleted, by anybody: what ran in production, and who signed for it, is
what this registry is asked for. Such a version is archived, such a model retired.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import connection, transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.commit import after_commit
from common.errors import NotFound
from registry import selectors
from registry.errors import EverLive
from registry.models import Alias, Kind, ModelVersion, VersionComponent
from registry.ports import deletion_guards
from registry.services import deliveries
from registry.services.models import lock, touch
from registry.signals import version_deleted

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import RegisteredModel


@transaction.atomic
def delete_version(*, caller: Caller, version: ModelVersion) -> None:
    """Take one version out, its aliases with it; its number is never given again.

    Raises: EverLive, NotFound (deleted before), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    model = lock(version.model)
    version = ModelVersion.objects.select_for_update().get(pk=version.pk)
    version.model = model
    if version.deleted_at is not None:
        raise NotFound(f"{version} is deleted.", code="version_not_found")
    _insist_never_live(version)
    released = _end_aliases(caller, model, [version.pk])
    _mark_deleted("registry_modelversion", "id", version.pk)
    touch(model)
    audit.record(
        Action.VERSION_DELETED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="version",
        object_id=str(version.uid),
        object_name=str(version),
        object_digest=version.release_digest,
        details={"aliases_removed": released},
    )
    after_commit(version_deleted.send, ModelVersion, version=version, caller=caller)


@transaction.atomic
def delete_model(*, caller: Caller, model: RegisteredModel) -> None:
    """Take a model out with all its versions; its name is free again.

    Raises: EverLive, NotFound (deleted before), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    model = lock(model)
    _insist_never_live(model)
    released = _end_aliases(caller, model, None)
    versions = _mark_deleted("registry_modelversion", "model_id", model.pk)
    _mark_deleted("registry_registeredmodel", "id", model.pk)
    audit.record(
        Action.MODEL_DELETED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="model",
        object_id=str(model.pk),
        object_name=model.name,
        details={"aliases_removed": released, "versions": versions},
    )


@contextmanager
def refusals_recorded(*, caller: Caller, target: RegisteredModel | ModelVersion) -> Iterator[None]:
    """For an edge, around a deletion: that somebody tried to delete what was live is an event.

    It is written after the refused transaction has rolled back, and the refusal goes on.
    """
    try:
        yield
    except EverLive as error:
        is_version = isinstance(target, ModelVersion)
        audit.refuse(
            Action.VERSION_DELETE_REFUSED if is_version else Action.MODEL_DELETE_REFUSED,
            actor=caller.actor,
            workspace=caller.workspace.slug,
            object_type="version" if is_version else "model",
            object_id=str(target.uid) if isinstance(target, ModelVersion) else str(target.pk),
            object_name=str(target),
            code=error.code,
        )
        raise


def why_not(target: RegisteredModel | ModelVersion) -> str | None:
    """Why this cannot be deleted, as a sentence; None when it can."""
    version = target if isinstance(target, ModelVersion) else None
    model = target.model if isinstance(target, ModelVersion) else target
    reason = _was_live(model, version) or _is_called(model, version)
    for guard in deletion_guards():
        reason = reason or guard.why_not_delete(model=model, version=version)
    return reason


def _was_live(model: RegisteredModel, version: ModelVersion | None) -> str | None:
    stood = Alias.objects.filter(
        model=model, name__in=selectors.protected_aliases(model.workspace)
    ).select_related("version")
    if version is not None:
        stood = stood.filter(version=version)
    first = stood.order_by("started_at").first()
    if first is None:
        return None
    instead = "Retire the model instead." if version is None else "Archive it instead."
    return (
        f"Version {first.version.number} of {model.name} stood as “{first.name}” on "
        f"{first.started_at:%d %B %Y}: what was ever live is kept. {instead}"
    )


def _is_called(model: RegisteredModel, version: ModelVersion | None) -> str | None:
    callers = VersionComponent.objects.filter(
        component__model=model, version__deleted_at=None
    ).select_related("version__model", "component")
    if version is not None:
        callers = callers.filter(component=version)
    first = callers.exclude(version__model=model).first() if version is None else callers.first()
    if first is None:
        return None
    return f"{first.version} calls version {first.component.number} of {model.name}: it is kept."


def _insist_never_live(target: RegisteredModel | ModelVersion) -> None:
    reason = why_not(target)
    if reason is not None:
        raise EverLive(reason)


def _end_aliases(caller: Caller, model: RegisteredModel, versions: list[int] | None) -> list[str]:
    """End the open rows on these versions, or all of the model's; the names, in order."""
    only = "" if versions is None else "AND version_id = ANY(%s)"
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE registry_alias SET ended_at = greatest(clock_timestamp(), started_at) "  # noqa: S608
            f"WHERE model_id = %s AND ended_at IS NULL {only} RETURNING name",
            [model.pk, *([versions] if versions is not None else [])],
        )
        names = sorted(row[0] for row in cursor.fetchall())
    for name in names:
        deliveries.alias_deleted(
            workspace=caller.workspace,
            name=model.name,
            alias=name,
            is_prompt=model.kind == Kind.PROMPT,
        )
    return names


def _mark_deleted(table: str, column: str, key: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET deleted_at = clock_timestamp(), updated_at = clock_timestamp() "  # noqa: S608
            f"WHERE {column} = %s AND deleted_at IS NULL",
            [key],
        )
        return int(cursor.rowcount)
