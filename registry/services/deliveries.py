"""What webhooks are told: written into the outbox in the transaction of the change itself.

One indexed query where nobody listens. A service that changes something calls the function named
after the fact, with plain values, before it returns; the call leaves after the commit, or never.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.db import fetch_all
from common.errors import Conflict, NotFound
from outbound.models import Message
from outbound.services import send
from registry import webhook_events as events
from registry.models import Webhook
from registry.webhook_events import Event

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.callers import Caller
    from accounts.models import Workspace

PURPOSE = "webhook"
#: Asked with every change of the registry, so it is asked cheaply.
_LISTENING = """
SELECT uid, url, sealed_secret FROM registry_webhook
WHERE workspace_id = %s AND events @> %s::jsonb AND status = 'ACTIVE' AND deleted_at IS NULL
ORDER BY id DESC
"""


def model_created(
    *,
    workspace: Workspace,
    name: str,
    tags: Mapping[str, str],
    description: str,
    is_prompt: bool = False,
) -> int:
    """A model, or a prompt, was registered."""
    event = Event("PROMPT" if is_prompt else "REGISTERED_MODEL", "CREATED")
    return tell(
        workspace=workspace,
        event=event,
        data=events.model_created(name=name, tags=tags, description=description),
    )


def version_created(
    *,
    workspace: Workspace,
    name: str,
    number: int,
    source: str,
    run_id: str,
    tags: Mapping[str, str],
    description: str,
    is_prompt: bool = False,
) -> int:
    """A version of a model, or of a prompt, was registered."""
    event = Event("PROMPT_VERSION" if is_prompt else "MODEL_VERSION", "CREATED")
    data = events.version_created(
        name=name,
        number=number,
        source=source,
        run_id=run_id,
        tags=tags,
        description=description,
        is_prompt=is_prompt,
    )
    return tell(workspace=workspace, event=event, data=data)


def prompt_tag_set(*, workspace: Workspace, name: str, key: str, value: str) -> int:
    """A prompt was tagged. MLflow has no such event for a registered model."""
    data = {"name": name, "key": key, "value": value}
    return tell(workspace=workspace, event=Event("PROMPT_TAG", "SET"), data=data)


def prompt_tag_deleted(*, workspace: Workspace, name: str, key: str) -> int:
    """A prompt lost a tag."""
    data = {"name": name, "key": key}
    return tell(workspace=workspace, event=Event("PROMPT_TAG", "DELETED"), data=data)


def version_tag_set(
    *, workspace: Workspace, name: str, number: int, key: str, value: str, is_prompt: bool = False
) -> int:
    """A version was tagged."""
    event = Event("PROMPT_VERSION_TAG" if is_prompt else "MODEL_VERSION_TAG", "SET")
    data = {"name": name, "version": str(number), "key": key, "value": value}
    return tell(workspace=workspace, event=event, data=data)


def version_tag_deleted(
    *, workspace: Workspace, name: str, number: int, key: str, is_prompt: bool = False
) -> int:
    """A version lost a tag."""
    event = Event("PROMPT_VERSION_TAG" if is_prompt else "MODEL_VERSION_TAG", "DELETED")
    data = {"name": name, "version": str(number), "key": key}
    return tell(workspace=workspace, event=event, data=data)


def alias_set(
    *, workspace: Workspace, name: str, alias: str, number: int, is_prompt: bool = False
) -> int:
    """An alias stands on this version now."""
    event = Event("PROMPT_ALIAS" if is_prompt else "MODEL_VERSION_ALIAS", "CREATED")
    data = {"name": name, "alias": alias, "version": str(number)}
    return tell(workspace=workspace, event=event, data=data)


def alias_deleted(*, workspace: Workspace, name: str, alias: str, is_prompt: bool = False) -> int:
    """An alias stands nowhere any more."""
    event = Event("PROMPT_ALIAS" if is_prompt else "MODEL_VERSION_ALIAS", "DELETED")
    return tell(workspace=workspace, event=event, data={"name": name, "alias": alias})


def tell(*, workspace: Workspace, event: Event, data: Mapping[str, Any]) -> int:
    """Write a delivery for each active webhook that listens; how many those are.

    Raises: TransactionManagementError outside a transaction: the fact and its news go together.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("tell() shares its caller's transaction")
    listening = fetch_all(_LISTENING, [workspace.pk, json.dumps([event.stored])])
    if not listening:
        return 0
    body = events.body(event, data, datetime.now(UTC))
    written = send.deliveries(
        [
            send.Delivery(
                subscription=uid,
                url=url,
                body=body,
                purpose=PURPOSE,
                subject=event.name,
                sealed_secret=sealed_secret,
            )
            for uid, url, sealed_secret in listening
        ],
        workspace=workspace,
    )
    return len(written)


@transaction.atomic
def resend(*, caller: Caller, webhook: Webhook, delivery: UUID) -> Message:
    """Send a delivery once more, the same body under a new id, to where the webhook points now.

    Raises: NotFound, Conflict (it still waits, or the webhook is switched off), NotAllowed.
    """
    caller.insist(Capability.WORKSPACE_ADMIN)
    webhook = Webhook.objects.select_for_update().get(pk=webhook.pk)
    if webhook.deleted_at is not None or webhook.status != Webhook.Status.ACTIVE:
        raise Conflict(f"{webhook.name} is switched off.", code="webhook_is_off")
    old = Message.objects.filter(subscription=webhook.uid, uid=delivery).first()
    if old is None:
        raise NotFound("There is no such delivery.", code="delivery_not_found")
    if old.state == Message.State.QUEUED:
        raise Conflict("This delivery still waits for its next attempt.", code="delivery_waits")
    (new,) = send.deliveries(
        [
            send.Delivery(
                subscription=webhook.uid,
                url=webhook.url,
                body=old.body,
                purpose=PURPOSE,
                subject=old.subject,
                sealed_secret=webhook.sealed_secret,
                again_of=old.uid,
            )
        ],
        workspace=webhook.workspace,
    )
    audit.record(
        Action.WEBHOOK_RESENT,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="webhook",
        object_id=str(webhook.uid),
        object_name=webhook.name,
        details={"event": old.subject, "again_of": str(old.uid), "delivery": str(new.uid)},
    )
    return new
