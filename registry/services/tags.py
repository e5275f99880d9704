"""Single tags of models and versions: set one, take one off, leave the others as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection, transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.commit import after_commit
from common.errors import Invalid, NotFound
from registry.models import Kind, ModelVersion, RegisteredModel
from registry.names import MAX_TAG_VALUE, MAX_TAGS, MAX_TAGS_LENGTH, insist_tag_key, insist_text
from registry.release_tags import PROMPT_TAG, insist_same_kind, insist_unchanged
from registry.services import deliveries
from registry.signals import (
    model_tag_deleted,
    model_tag_set,
    version_tag_deleted,
    version_tag_set,
)

if TYPE_CHECKING:
    from accounts.callers import Caller

#: One statement: what others set at the same time stays. The value comes back as it was before.
_SET = """
UPDATE {table} AS one SET tags = one.tags || jsonb_build_object(%s::text, %s::text),
    updated_at = clock_timestamp()
FROM (SELECT id, tags FROM {table} WHERE id = %s AND deleted_at IS NULL FOR UPDATE) AS before
WHERE one.id = before.id
RETURNING before.tags ? %s, length(one.tags::text),
    (SELECT count(*) FROM jsonb_object_keys(one.tags))
"""
_DELETE = """
UPDATE {table} SET tags = tags - %s, updated_at = clock_timestamp()
WHERE id = %s AND deleted_at IS NULL AND tags ? %s
"""
_MODELS, _VERSIONS = "registry_registeredmodel", "registry_modelversion"


@transaction.atomic
def set_on_model(*, caller: Caller, model: RegisteredModel, key: str, value: str) -> None:
    """Let the tag stand on the model, whatever it said before.

    Raises: Invalid, NotFound (deleted meanwhile), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    if key == PROMPT_TAG:
        insist_same_kind({key: value}, prompt=model.tags.get(key) == "true")
    was_there = _set(_MODELS, model.pk, key, value)
    _record_model(caller, model, key, "set", was_there=was_there)
    if model.kind == Kind.PROMPT:
        deliveries.prompt_tag_set(workspace=caller.workspace, name=model.name, key=key, value=value)
    after_commit(
        model_tag_set.send, RegisteredModel, model=model, key=key, value=value, caller=caller
    )


@transaction.atomic
def delete_from_model(*, caller: Caller, model: RegisteredModel, key: str) -> None:
    """Take the tag off the model; one that is not there changes nothing and records nothing.

    Raises: Invalid, NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    insist_tag_key(key)
    if key == PROMPT_TAG:
        insist_same_kind({}, prompt=model.tags.get(key) == "true")
    if not _delete(_MODELS, model.pk, key):
        return
    _record_model(caller, model, key, "deleted", was_there=True)
    if model.kind == Kind.PROMPT:
        deliveries.prompt_tag_deleted(workspace=caller.workspace, name=model.name, key=key)
    after_commit(model_tag_deleted.send, RegisteredModel, model=model, key=key, caller=caller)


@transaction.atomic
def set_on_version(*, caller: Caller, version: ModelVersion, key: str, value: str) -> None:
    """Let the tag stand on the version. Tags that fill the release are set with it, or never.

    Raises: Invalid, NotFound (deleted meanwhile), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    insist_unchanged(version.tags, {**version.tags, key: value})
    was_there = _set(_VERSIONS, version.pk, key, value)
    _record_version(caller, version, key, "set", was_there=was_there)
    deliveries.version_tag_set(
        workspace=caller.workspace,
        name=version.model.name,
        number=version.number,
        key=key,
        value=value,
        is_prompt=version.model.kind == Kind.PROMPT,
    )
    after_commit(
        version_tag_set.send, ModelVersion, version=version, key=key, value=value, caller=caller
    )


@transaction.atomic
def delete_from_version(*, caller: Caller, version: ModelVersion, key: str) -> None:
    """Take the tag off the version; one that is not there changes nothing and records nothing.

    Raises: Invalid (it is part of the release), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    insist_tag_key(key)
    insist_unchanged(version.tags, {it: version.tags[it] for it in version.tags if it != key})
    if not _delete(_VERSIONS, version.pk, key):
        return
    _record_version(caller, version, key, "deleted", was_there=True)
    deliveries.version_tag_deleted(
        workspace=caller.workspace,
        name=version.model.name,
        number=version.number,
        key=key,
        is_prompt=version.model.kind == Kind.PROMPT,
    )
    after_commit(version_tag_deleted.send, ModelVersion, version=version, key=key, caller=caller)


def _set(table: str, pk: int, key: str, value: str) -> bool:
    """Whether the key was there before. Raises: Invalid (too many, too long), NotFound."""
    insist_tag_key(key)
    insist_text(value, field="tags", most=MAX_TAG_VALUE)
    with connection.cursor() as cursor:
        cursor.execute(_SET.format(table=table), [key, value, pk, key])
        row = cursor.fetchone()
    if row is None:
        raise NotFound("It was deleted meanwhile.")
    was_there, length, count = row
    if count > MAX_TAGS or length > 2 * MAX_TAGS_LENGTH:
        reason = f"At most {MAX_TAGS} tags, with {MAX_TAGS_LENGTH:,} characters together."
        raise Invalid(reason, fields={"tags": [reason]})
    return bool(was_there)


def _delete(table: str, pk: int, key: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_DELETE.format(table=table), [key, pk, key])
        return bool(cursor.rowcount)


def _record_model(
    caller: Caller, model: RegisteredModel, key: str, done: str, *, was_there: bool
) -> None:
    audit.record(
        Action.MODEL_TAGGED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="model",
        object_id=str(model.pk),
        object_name=model.name,
        # A value may name people: the trail has the key.
        details={"tag": key, "done": done, "was_there": was_there},
    )


def _record_version(
    caller: Caller, version: ModelVersion, key: str, done: str, *, was_there: bool
) -> None:
    audit.record(
        Action.VERSION_TAGGED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="version",
        object_id=str(version.uid),
        object_name=str(version),
        object_digest=version.release_digest,
        details={"tag": key, "done": done, "was_there": was_there},
    )
