"""Registered models: create, change, lock, and count their versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.commit import after_commit
from common.db import fetch_one
from common.errors import AlreadyExists, Invalid, NotFound
from registry.models import Kind, RegisteredModel
from registry.names import insist_name, insist_tags, insist_text
from registry.release_tags import insist_same_kind, is_prompt
from registry.selectors import is_member
from registry.services import deliveries
from registry.signals import model_created

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import User, Workspace

MAX_TEXT = 10_000
MAX_JOB_ID = 255
_COLUMNS = [field.attname for field in RegisteredModel._meta.concrete_fields if not field.generated]
#: The next number is taken and the row locked in one statement: whoever comes second waits here,
#: and a transaction that is rolled back gives its number back.
_LOCK = (
    f"SELECT {', '.join(_COLUMNS)} FROM registry_registeredmodel "  # noqa: S608
    "WHERE id = %s FOR UPDATE"
)
_TAKE_NUMBER = f"""
UPDATE registry_registeredmodel
SET next_version = next_version + 1, updated_at = clock_timestamp()
WHERE workspace_id = %s AND deleted_at IS NULL AND {{key}} = %s
RETURNING {", ".join(f'"{column}"' for column in _COLUMNS)}
"""  # noqa: S608 -- names of columns only


@transaction.atomic
def create(
    *,
    caller: Caller,
    name: str,
    owner: User | None = None,
    purpose: str = "",
    kind: str = Kind.BINARY,
    tier: int = 2,
    description: str = "",
    tags: Mapping[str, Any] | None = None,
    deployment_job_id: str = "",
) -> RegisteredModel:
    """Put a model into the caller's inventory; without an owner, whoever calls owns it.

    Raises: Invalid, AlreadyExists, NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    owner = owner or caller.user
    if owner is None:
        raise Invalid("A model needs an owner.", fields={"owner": ["A model needs an owner."]})
    _insist_may_own(owner, caller)
    model = RegisteredModel(
        workspace=caller.workspace,
        name=insist_name(name),
        **_content(
            owner=owner,
            purpose=purpose,
            kind=kind,
            tier=tier,
            description=description,
            tags=tags,
            deployment_job_id=deployment_job_id,
        ),
    )
    try:
        with transaction.atomic():
            model.save()
    except IntegrityError as error:
        if "model_name_once" not in str(error):
            raise
        reason = f"There is a model named “{model.name}” already."
        raise AlreadyExists(reason, fields={"name": [reason]}) from None
    audit.record(
        Action.MODEL_CREATED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="model",
        object_id=str(model.pk),
        object_name=model.name,
        after=_shown(model),
    )
    deliveries.model_created(
        workspace=caller.workspace,
        name=model.name,
        tags=model.tags,
        description=model.description,
        is_prompt=model.kind == Kind.PROMPT,
    )
    after_commit(model_created.send, RegisteredModel, model=model, caller=caller)
    return model


@transaction.atomic
def update(
    *,
    caller: Caller,
    model: RegisteredModel,
    owner: User | None = None,
    purpose: str | None = None,
    kind: str | None = None,
    tier: int | None = None,
    description: str | None = None,
    tags: Mapping[str, Any] | None = None,
    deployment_job_id: str | None = None,
) -> RegisteredModel:
    """Change what is said about a model; None leaves a value as it is. See ``rename`` for names.

    Raises: Invalid, NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    if owner is not None:
        _insist_may_own(owner, caller)
    model = lock(model)
    if tags is not None:
        insist_same_kind(tags, prompt=is_prompt(model.tags))
    before = _shown(model)
    content = _content(
        owner=owner or model.owner,
        purpose=model.purpose if purpose is None else purpose,
        kind=kind or model.kind,
        tier=model.tier if tier is None else tier,
        description=model.description if description is None else description,
        tags=model.tags if tags is None else tags,
        deployment_job_id=(
            model.deployment_job_id if deployment_job_id is None else deployment_job_id
        ),
    )
    edited = [field for field, value in content.items() if getattr(model, field) != value]
    if not edited:
        return model
    for field, value in content.items():
        setattr(model, field, value)
    after = _shown(model)
    model.updated_at = Now()
    model.save(update_fields=[*content, "updated_at"])
    model.refresh_from_db(fields=["updated_at"])
    changed = [key for key in after if after[key] != before[key]]
    audit.record(
        Action.MODEL_UPDATED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="model",
        object_id=str(model.pk),
        object_name=model.name,
        before={key: before[key] for key in changed},
        after={key: after[key] for key in changed},
        details={"edited": edited},
    )
    return model


@transaction.atomic
def set_retired(*, caller: Caller, model: RegisteredModel, retired: bool) -> RegisteredModel:
    """Retire the model: nothing more is registered or promoted, everything stays; or undo that.

    Raises: NotFound (deleted meanwhile), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    model = lock(model)
    if (model.retired_at is not None) == retired:
        return model
    before = model.retired_at
    model.retired_at, model.updated_at = (Now() if retired else None), Now()
    model.save(update_fields=["retired_at", "updated_at"])
    model.refresh_from_db(fields=["retired_at", "updated_at"])
    audit.record(
        Action.MODEL_UPDATED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="model",
        object_id=str(model.pk),
        object_name=model.name,
        before={"retired": before is not None},
        after={"retired": retired},
        details={"edited": ["retired"]},
    )
    return model


def lock(model: RegisteredModel) -> RegisteredModel:
    """The model's row, fresh, locked to the end of the transaction; versions and aliases wait.

    Raises: NotFound when it was deleted meanwhile.
    """
    row = fetch_one(_LOCK, [model.pk])
    if row is None:
        raise RegisteredModel.DoesNotExist
    locked = _from_row(row)
    known = model._state.fields_cache
    for field in ("workspace", "owner"):
        # Who came along comes along, unless it is another one by now.
        if field in known and getattr(known[field], "pk", None) == getattr(locked, f"{field}_id"):
            setattr(locked, field, known[field])
    if locked.deleted_at is not None:
        raise NotFound(f"There is no model “{locked.name}” here.", code="model_not_found")
    return locked


def take_number(workspace: Workspace, model: RegisteredModel | str) -> tuple[RegisteredModel, int]:
    """The model (or the one of that name), locked to the end of the transaction, and its next
    version's number, which is taken when this transaction commits.

    Raises: NotFound.
    """
    key, value = ("name", model) if isinstance(model, str) else ("id", model.pk)
    row = fetch_one(_TAKE_NUMBER.format(key=key), [workspace.pk, value])
    if row is None:
        name = model if isinstance(model, str) else model.name
        raise NotFound(f"There is no model “{name[:80]}” here.", code="model_not_found")
    locked = _from_row(row)
    locked.workspace = workspace
    return locked, locked.next_version - 1


def touch(model: RegisteredModel) -> None:
    """Something about the model was changed now. Call it with the model locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE registry_registeredmodel SET updated_at = clock_timestamp() WHERE id = %s",
            [model.pk],
        )


def _from_row(row: tuple[Any, ...]) -> RegisteredModel:
    values = dict(zip(_COLUMNS, row, strict=True))
    if isinstance(values["tags"], str):
        values["tags"] = json.loads(values["tags"])
    return RegisteredModel.from_db("default", list(values), list(values.values()))


def _insist_may_own(owner: User, caller: Caller) -> None:
    # Who answers for a service account may own what it makes, with a role here or without.
    if owner != caller.user and not is_member(owner, caller.workspace):
        reason = "The owner must be an active person with a role in this workspace."
        raise Invalid(reason, code="owner_is_no_member", fields={"owner": [reason]})


def _content(
    *,
    owner: User,
    purpose: str,
    kind: str,
    tier: int,
    description: str,
    tags: Mapping[str, Any] | None,
    deployment_job_id: str,
) -> dict[str, Any]:
    if kind not in Kind.values:
        raise Invalid(f"There is no kind “{kind[:50]}”.", fields={"kind": ["No such kind."]})
    if tier not in (1, 2, 3):
        raise Invalid("The tier is 1, 2 or 3.", fields={"tier": ["1 (high), 2 or 3 (low)."]})
    return {
        "owner": owner,
        "purpose": insist_text(purpose, field="purpose", most=MAX_TEXT),
        "kind": kind,
        "tier": tier,
        "description": insist_text(description, field="description", most=MAX_TEXT),
        "tags": insist_tags(tags),
        "deployment_job_id": insist_text(
            deployment_job_id, field="deployment_job_id", most=MAX_JOB_ID
        ),
    }


def _shown(model: RegisteredModel) -> dict[str, Any]:
    # Free text goes into the trail by its length only: it may name people.
    return {
        "owner": model.owner.pid,
        "kind": str(model.kind),
        "tier": model.tier,
        "purpose_characters": len(model.purpose),
        "description_characters": len(model.description),
        "tags": sorted(model.tags),
    }
