"""Writing the trail: inside the transaction of the change, or not at all."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection, transaction

from audit import keys
from audit.actions import Action
from audit.errors import TransactionRequired
from audit.models import Event
from common.canonical import canonical_json, canonical_number
from common.db import fetch_one
from common.ids import uuid7

if TYPE_CHECKING:
    from audit.actor import Actor

BODY_VERSION = 1
MAX_BODY_BYTES = 1_000_000
MAX_REFUSED_TEXT = 500
SALT_BYTES = 32

# The leaf's hash, the clock and the sealer's queue are triggers' work (migration 0003).
_INSERT = """
WITH event AS (
    INSERT INTO audit_event (uid, body, mac, at, workspace, actor_pid, action, object_type,
        object_id, object_name)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    RETURNING id, recorded_at
), personal AS (
    INSERT INTO audit_pii (event_id, field, salt, value)
    SELECT event.id, given.field, given.salt, given.value
    FROM event, unnest(%s::text[], %s::bytea[], %s::text[]) AS given (field, salt, value)
)
SELECT id, recorded_at FROM event
"""

# The names of people are personal data: they stay beside the body even when a person is the object.
PERSONAL_OBJECTS = frozenset({"person", "user"})


def record(
    action: Action,
    *,
    actor: Actor,
    object_type: str,
    object_id: str,
    object_name: str = "",
    workspace: str = "",
    object_digest: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
    pii: Mapping[str, str] | None = None,
) -> Event:
    """Record one event in the caller's transaction: no event, no change.

    Args:
        object_name: copied, so that the line still reads after a rename; at most 512 characters.
        workspace: slug; the actor's own unless given.
        before, after, details: plain data without personal data or free text; floats become text.
        pii: free text and personal values by field name. The body holds a salted commitment to
            each, the value stands in ``audit_pii`` and can be erased.

    Raises:
        TransactionRequired: there is no transaction that the event could share.
        TypeError: a value has no canonical form.
    """
    _insist_transaction()
    action = Action(action)
    personal = {"actor_label": actor.label, **(pii or {})}
    name = _clean(object_name, Event.OBJECT_NAME_LENGTH)
    if object_type in PERSONAL_OBJECTS:
        personal, name = {**personal, "object_name": name}, ""
    personal = {field: _clean(str(value)) for field, value in personal.items() if value}
    salts = {field: secrets.token_bytes(SALT_BYTES) for field in personal}

    uid = uuid7()
    at = datetime.now(UTC)
    body: dict[str, Any] = {
        "v": BODY_VERSION,
        "uid": str(uid),
        "at": format_time(at),
        "workspace": workspace or actor.workspace,
        "actor": {"pid": actor.pid, "kind": actor.kind, "auth": _plain(actor.auth)},
        "action": action.value,
        "object": {
            "type": object_type,
            "id": _clean(str(object_id), Event.OBJECT_ID_LENGTH),
            "name": name,
            "digest": object_digest,
        },
        "before": _plain(before or {}),
        "after": _plain(after or {}),
        "details": _plain(details or {}),
        "request": _plain(actor.request),
        "job": _plain(actor.job),
        "pii": {field: commitment(salts[field], value) for field, value in personal.items()},
    }
    text = canonical_json(body)
    if len(text) > MAX_BODY_BYTES:
        raise ValueError(f"an event's body may have {MAX_BODY_BYTES} bytes, not {len(text)}")
    event = Event(uid=uid, body=text, mac=keys.mac(text), **projections(body))
    event.pk, event.recorded_at = _insert(event, personal, salts)
    event._state.adding, event._state.db = False, "default"
    return event


def _insert(
    event: Event, personal: Mapping[str, str], salts: Mapping[str, bytes]
) -> tuple[int, datetime]:
    """Both tables in one statement: every change of the house waits for this one."""
    row = fetch_one(
        _INSERT,
        [
            event.uid,
            event.body,
            event.mac,
            event.at,
            event.workspace,
            event.actor_pid,
            event.action,
            event.object_type,
            event.object_id,
            event.object_name,
            list(personal),
            [salts[field] for field in personal],
            list(personal.values()),
        ],
    )
    if row is None:
        raise RuntimeError("the trail returned no row")
    return row[0], row[1]


def refuse(
    action: Action,
    *,
    actor: Actor,
    object_type: str,
    object_id: str,
    object_name: str = "",
    code: str,
    details: Mapping[str, Any] | None = None,
    workspace: str = "",
    pii: Mapping[str, str] | None = None,
) -> Event:
    """Record a refusal, after the rollback, in a transaction of its own.

    What was refused may be hostile: texts in ``details`` are cut to 500 characters.

    Raises:
        RuntimeError: called inside a transaction, whose rollback would take the event along.
        ValueError: the action tells of no refusal.
    """
    action = Action(action)
    if not action.is_refusal:
        raise ValueError(f"{action} is not a refusal")
    with transaction.atomic(durable=True):
        return record(
            action,
            actor=actor,
            object_type=object_type,
            object_id=object_id,
            object_name=object_name,
            workspace=workspace,
            details={**_cut(details or {}), "code": code},
            pii={
                field: str(text)[:MAX_REFUSED_TEXT] for field, text in (pii or {}).items() if text
            },
        )


def commitment(salt: bytes, value: str) -> str:
    """What the body holds instead of a personal value; 32 random bytes of salt make it hiding."""
    return "sha256:" + hashlib.sha256(salt + value.encode()).hexdigest()


def projections(body: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that repeat parts of the body for search; audit_verify compares them."""
    return {
        "at": datetime.fromisoformat(body["at"]),
        "workspace": body["workspace"],
        "actor_pid": body["actor"]["pid"],
        "action": body["action"],
        "object_type": body["object"]["type"],
        "object_id": body["object"]["id"],
        "object_name": body["object"]["name"],
    }


def format_time(at: datetime) -> str:
    """UTC with microseconds, always the same length."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def _insist_transaction() -> None:
    # A test case's own wrapper is not the caller's transaction, so tests see what production would.
    blocks = getattr(connection, "atomic_blocks", [])
    if not any(not getattr(block, "_from_testcase", False) for block in blocks):
        raise TransactionRequired(
            "audit.record() must run inside transaction.atomic(), with the change it tells of"
        )


def _clean(text: str, limit: int | None = None) -> str:
    """Text that PostgreSQL can hold: no NUL, no lone surrogate, cut at ``limit`` characters."""
    text = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if limit is not None and len(text) > limit:
        return text[: limit - 1] + "…"
    return text


def _plain(value: Any) -> Any:
    """Plain JSON data without floats."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return canonical_number(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, (date, Decimal, UUID)):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no canonical form in the trail")


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value, MAX_REFUSED_TEXT)
    if isinstance(value, Mapping):
        return {str(key)[:100]: _cut(item) for key, item in list(value.items())[:50]}
    if isinstance(value, (list, tuple)):
        return [_cut(item) for item in value[:50]]
    return value
