"""Aliases move, and their history stays: every move ends one row and starts another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.commit import after_commit
from common.db import columns_of, fetch_one
from common.errors import Conflict, Invalid, NotFound
from registry import components, selectors
from registry.errors import ProtectedAlias
from registry.models import Alias, Kind, ModelVersion, RegisteredModel
from registry.names import insist_alias
from registry.ports import alias_guard
from registry.services import deliveries
from registry.services.models import lock
from registry.signals import alias_moved

if TYPE_CHECKING:
    from accounts.callers import Caller


_ALIAS_COLUMNS = columns_of(Alias, "id", "model_id", "name", "version_id", "started_at", "ended_at")
_VERSION_COLUMNS = columns_of(
    ModelVersion, "id", "uid", "workspace_id", "model_id", "number", "release_digest"
)
_OPEN_ROW = f"""
SELECT {", ".join(f"a.{it}" for it in _ALIAS_COLUMNS)},
    {", ".join(f"v.{it}" for it in _VERSION_COLUMNS)}
FROM registry_alias a JOIN registry_modelversion v ON v.id = a.version_id
WHERE a.model_id = %s AND a.name = %s AND a.ended_at IS NULL
"""  # noqa: S608 -- names of columns only
_END = "UPDATE registry_alias SET ended_at = %s WHERE id = %s RETURNING id"
_IS_PROTECTED = "SELECT 1 FROM registry_environment WHERE workspace_id = %s AND alias = %s"
_TOUCH = """
UPDATE registry_registeredmodel SET updated_at = clock_timestamp() WHERE id = %s
RETURNING updated_at, (SELECT deleted_at FROM registry_modelversion WHERE id = %s::bigint)
"""


@transaction.atomic
def move(
    *,
    caller: Caller,
    model: RegisteredModel,
    name: str,
    version: ModelVersion | None,
    reference: str = "",
) -> Alias | None:
    """Let ``name`` stand on ``version``, or on nothing.

    The alias of an environment moves only when the registered guard knows ``reference`` (an
    approved promotion or its rollout) and allows exactly this; without a guard it never moves.
    What the guard says goes along (components that are approved too) moves in the same
    transaction, or nothing moves at all.
    Standing there already changes nothing and records nothing.

    Raises: ProtectedAlias, Invalid, NotFound (nothing to remove), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    insist_alias(name)
    if not _is_protected(model.workspace_id, name):
        own = _insist_own(version, model)
        return _stand(caller, lock(model), name, own, reference, protected=False)
    present = components.standing(name, [model.pk]).get(model.pk)
    locked = _lock_all(components.models_touched(version, present) | {model.pk})
    model = locked[model.pk]
    _insist_own(version, model)
    there = _open_row(model, name)
    if there is not None and version is not None and there.version_id == version.pk:
        return there
    along = _insist_guard_allows(
        caller=caller, model=model, name=name, version=version, reference=reference
    )
    if not along.keys() <= locked.keys():
        raise Conflict("What goes along with it changed meanwhile: try again.", code="moved_on")
    refusal = components.why_not_stand(
        workspace=model.workspace, alias=name, moves={**along, model.pk: version}
    )
    if refusal is not None:
        raise _refused(name, refusal, code="not_together")
    for key in sorted(along):
        _stand(caller, locked[key], name, along[key], reference)
    return _stand(caller, model, name, version, reference)


def _insist_own(version: ModelVersion | None, model: RegisteredModel) -> ModelVersion | None:
    if version is not None and version.model_id != model.pk:
        raise Invalid(
            "That is a version of another model.", fields={"version": ["Another model's."]}
        )
    return version


def _stand(
    caller: Caller,
    model: RegisteredModel,
    name: str,
    version: ModelVersion | None,
    reference: str,
    *,
    protected: bool = True,
) -> Alias | None:
    """End the row that stands and begin the new one; the model is locked, the move allowed."""
    present = _open_row(model, name)
    if version is None and present is None:
        raise NotFound(f"{model.name} has no alias “{name}”.")
    if present is not None and version is not None and present.version_id == version.pk:
        return present
    now = _touched(model, version)
    if present is not None:
        # A move within one clock tick must not make a row end before it started.
        now = max(now, present.started_at)
        present.ended_at = now
        fetch_one(_END, [now, present.pk])
    moved = None
    if version is not None:
        moved = Alias.objects.create(
            model=model,
            name=name,
            version=version,
            started_at=now,
            moved_by_pid=caller.actor.pid,
            reference=reference,
        )
    audit.record(
        Action.ALIAS_MOVED if version is not None else Action.ALIAS_REMOVED,
        actor=caller.actor,
        workspace=model.workspace.slug,
        object_type="model",
        object_id=str(model.pk),
        object_name=model.name,
        object_digest=version.release_digest if version is not None else "",
        before={"alias": name, "version": present.version.number if present else None},
        after={"alias": name, "version": version.number if version else None},
        details={"reference": reference},
    )
    told: dict[str, Any] = {
        "workspace": model.workspace,
        "name": model.name,
        "alias": name,
        "is_prompt": model.kind == Kind.PROMPT,
    }
    if version is not None:
        deliveries.alias_set(number=version.number, **told)
    else:
        deliveries.alias_deleted(**told)
    after_commit(
        alias_moved.send,
        Alias,
        model=model,
        name=name,
        version=version,
        previous=present.version if present else None,
        caller=caller,
        protected=protected,
    )
    return moved


@contextmanager
def refusals_recorded(
    *, caller: Caller, model: RegisteredModel, name: str, version: ModelVersion | None
) -> Iterator[None]:
    """For an edge, around ``move``: a protected alias that somebody tried to move is an event.

    It is written after the refused transaction has rolled back, and the refusal goes on.
    """
    try:
        yield
    except ProtectedAlias as error:
        audit.refuse(
            Action.ALIAS_MOVE_REFUSED,
            actor=caller.actor,
            workspace=caller.workspace.slug,
            object_type="model",
            object_id=str(model.pk),
            object_name=model.name,
            code=error.code,
            details={"alias": name, "version": version.number if version else None},
        )
        raise


def _insist_guard_allows(
    *,
    caller: Caller,
    model: RegisteredModel,
    name: str,
    version: ModelVersion | None,
    reference: str,
) -> Mapping[int, ModelVersion | None]:
    """What goes along, when the guard allows it. Raises: ProtectedAlias."""
    guard = alias_guard()
    reason = (
        "Nobody is there to say whether it may."
        if guard is None
        else guard.why_not_move(
            model=model, name=name, version=version, reference=reference, caller=caller
        )
    )
    if guard is None or reason is not None:
        raise _refused(name, reason or "")
    return guard.goes_along(model=model, name=name, version=version, reference=reference)


def _refused(name: str, reason: str, **rest: Any) -> ProtectedAlias:
    return ProtectedAlias(
        f"“{name}” says what is live, so only an approved promotion moves it. {reason}",
        fields={"name": [reason]},
        **rest,
    )


def _lock_all(keys: Collection[int]) -> dict[int, RegisteredModel]:
    """Several models' rows like ``lock``, always in the same order: no two wait for each other."""
    rows = (
        RegisteredModel.objects.select_for_update(of=("self",))
        .select_related("workspace", "owner")
        .filter(pk__in=keys)
        .order_by("pk")
    )
    return {it.pk: it for it in rows}


def _is_protected(workspace_id: int, name: str) -> bool:
    if name == selectors.ALWAYS_PROTECTED:
        return True
    return fetch_one(_IS_PROTECTED, [workspace_id, name]) is not None


def _open_row(model: RegisteredModel, name: str) -> Alias | None:
    """The row that stands, its version along; what nobody asks of that is not read."""
    row = fetch_one(_OPEN_ROW, [model.pk, name])
    if row is None:
        return None
    width = len(_ALIAS_COLUMNS)
    alias = Alias.from_db("default", _ALIAS_COLUMNS, list(row[:width]))
    alias.version = ModelVersion.from_db("default", _VERSION_COLUMNS, list(row[width:]))
    alias.model = alias.version.model = model
    return alias


def _touched(model: RegisteredModel, version: ModelVersion | None) -> datetime:
    """The database's clock now, not at the transaction's start: it may have waited for the lock.

    The model is changed at that moment. Raises: NotFound (the version was deleted meanwhile).
    """
    row = fetch_one(_TOUCH, [model.pk, version.pk if version is not None else None])
    if row is None:
        raise NotFound(f"There is no model “{model.name}” here.", code="model_not_found")
    now, deleted_at = row
    if version is not None and deleted_at is not None:
        raise NotFound(f"{version} is deleted.", code="version_not_found")
    moment: datetime = now
    return moment
