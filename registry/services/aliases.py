"""Aliases move, and their history stays: every move ends one row and starts another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from django.db import connection, transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import Invalid, NotFound
from registry import selectors
from registry.errors import ProtectedAlias
from registry.models import Alias
from registry.names import insist_alias
from registry.ports import alias_guard
from registry.services.models import lock
from registry.signals import alias_moved

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel


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
    Standing there already changes nothing and records nothing.

    Raises: ProtectedAlias, Invalid, NotFound (nothing to remove), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    insist_alias(name)
    model = lock(model)
    if version is not None and version.model_id != model.pk:
        raise Invalid(
            "That is a version of another model.", fields={"version": ["Another model's."]}
        )
    if name in selectors.protected_aliases(model.workspace):
        _insist_guard_allows(
            caller=caller, model=model, name=name, version=version, reference=reference
        )
    present = (
        Alias.objects.select_related("version")
        .filter(model=model, name=name, ended_at=None)
        .first()
    )
    if version is None and present is None:
        raise NotFound(f"{model.name} has no alias “{name}”.")
    if present is not None and version is not None and present.version_id == version.pk:
        return present
    now = _clock()
    if present is not None:
        # A move within one clock tick must not make a row end before it started.
        now = max(now, present.started_at)
        present.ended_at = now
        present.save(update_fields=["ended_at"])
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
    transaction.on_commit(
        partial(
            alias_moved.send,
            Alias,
            model=model,
            name=name,
            version=version,
            previous=present.version if present else None,
        ),
        robust=True,
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
) -> None:
    guard = alias_guard()
    reason = (
        "Nobody is there to say whether it may."
        if guard is None
        else guard.why_not_move(
            model=model, name=name, version=version, reference=reference, caller=caller
        )
    )
    if reason is not None:
        raise ProtectedAlias(
            f"“{name}” says what is live, so only an approved promotion moves it. {reason}",
            fields={"name": [reason]},
        )


def _clock() -> datetime:
    """The database's clock now, not at the transaction's start: it may have waited for the lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
