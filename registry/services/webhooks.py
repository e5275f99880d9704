"""Webhooks: who is told, of what, under which secret. All of it an administrator's act."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import Conflict, Invalid, NotFound
from common.ids import uuid7
from jobs.clock import ClockTimestamp
from outbound import secrets
from outbound.addresses import is_public
from outbound.errors import AddressRefused, DeadlineExceeded, ResponseTooLarge, Unreachable
from outbound.models import Message
from outbound.services import calls, send
from outbound.services.destinations import check_url
from registry import webhook_events as facts
from registry.errors import WebhookRefused
from registry.models import Webhook
from registry.names import insist_text
from registry.webhook_events import Event

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.callers import Caller
    from accounts.models import Workspace

MAX_WEBHOOKS = 100
MAX_SECRET = 1000
TEST_DEADLINE_S = 10.0
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TestResult:
    """What a test call met with."""

    success: bool
    status: int | None = None
    excerpt: str = ""
    error: str = ""


def webhooks_of(workspace: Workspace) -> QuerySet[Webhook]:
    """The workspace's webhooks, the newest first."""
    return Webhook.objects.filter(workspace=workspace, deleted_at=None).order_by("-pk")


def deliveries_of(webhook: Webhook) -> QuerySet[Message]:
    """What it was told and will be told, the newest first."""
    return Message.objects.filter(subscription=webhook.uid).order_by("-pk")


def get(workspace: Workspace, uid: UUID | str) -> Webhook:
    """The webhook. Raises: NotFound, in the words that MLflow's clients know."""
    try:
        wanted = uid if isinstance(uid, UUID) else UUID(uid)
    except ValueError:
        wanted = None
    found = webhooks_of(workspace).filter(uid=wanted).first() if wanted else None
    if found is None:
        raise NotFound(f"Webhook with ID {str(uid)[:100]} not found", code="webhook_not_found")
    return found


def create(
    *,
    caller: Caller,
    name: str,
    url: str,
    events: Iterable[Event],
    description: str = "",
    secret: str = "",
    status: str = Webhook.Status.ACTIVE,
) -> Webhook:
    """Tell this URL of these events from now on. Without a secret its calls go unsigned.

    The address is resolved and checked before the transaction: a name may take seconds.

    Raises: WebhookRefused (the address), Invalid, Conflict (too many), NotAllowed.
    """
    caller.insist(Capability.WORKSPACE_ADMIN)
    webhook = Webhook(
        workspace=caller.workspace,
        name=_name(name),
        url=_checked_url(url, caller.workspace),
        events=_events(events),
        description=insist_text(description, field="description", most=10_000),
        status=_status(status),
        sealed_secret=_sealed(secret),
        created_by_pid=caller.actor.pid,
    )
    return _insert(webhook, caller)


def update(
    *,
    caller: Caller,
    webhook: Webhook,
    name: str | None = None,
    url: str | None = None,
    events: Iterable[Event] | None = None,
    description: str | None = None,
    secret: str | None = None,
    status: str | None = None,
) -> Webhook:
    """Change a webhook; None leaves a value. What waits follows to the new URL and secret.

    Switching it off gives up what waits. An empty ``secret`` takes the signature away.

    Raises: WebhookRefused, Invalid, NotFound (deleted meanwhile), NotAllowed.
    """
    caller.insist(Capability.WORKSPACE_ADMIN)
    wanted: dict[str, Any] = {}
    if name is not None:
        wanted["name"] = _name(name)
    if url is not None:
        wanted["url"] = _checked_url(url, caller.workspace)
    if events is not None:
        wanted["events"] = _events(events)
    if description is not None:
        wanted["description"] = insist_text(description, field="description", most=10_000)
    if status is not None:
        wanted["status"] = _status(status)
    if secret is not None:
        wanted["sealed_secret"] = _sealed(secret)
    return _change(webhook, wanted, caller)


@transaction.atomic
def delete(*, caller: Caller, webhook: Webhook) -> None:
    """Tell it nothing any more; its deliveries stay readable in the outbox.

    Raises: NotFound (deleted already), NotAllowed.
    """
    caller.insist(Capability.WORKSPACE_ADMIN)
    webhook = _lock(webhook)
    webhook.deleted_at = ClockTimestamp()
    webhook.sealed_secret = ""
    webhook.save(update_fields=["deleted_at", "sealed_secret"])
    waiting = send.withdraw(subscription=webhook.uid, reason="The webhook was deleted.")
    _record(
        Action.WEBHOOK_DELETED,
        webhook,
        caller,
        before=_facts(webhook),
        details={"waiting": waiting},
    )


def try_out(*, caller: Caller, webhook: Webhook, event: Event | None = None) -> TestResult:
    """Call it now with a made-up fact, and say what came of it. Nothing is tried again.

    Raises: Invalid (an event that there is not), NotAllowed.
    """
    caller.insist(Capability.WORKSPACE_ADMIN)
    first = webhook.events[0]
    event = event or Event(first["entity"], first["action"])
    _events([event])
    result = _call(webhook, event)
    with transaction.atomic():
        _record(
            Action.WEBHOOK_TESTED,
            webhook,
            caller,
            details={"event": event.name, "success": result.success, "status": result.status},
        )
    return result


@contextmanager
def refusals_recorded(*, caller: Caller, name: str) -> Iterator[None]:
    """For an edge, around ``create`` and ``update``: an address that was refused is an event."""
    try:
        yield
    except WebhookRefused as error:
        audit.refuse(
            Action.ADDRESS_REFUSED,
            actor=caller.actor,
            workspace=caller.workspace.slug,
            object_type="webhook",
            object_id="",
            object_name=name[:255],
            code=error.code,
            details={"host": error.host},
        )
        raise


def host_of(url: str) -> str:
    """The part of a webhook's URL that anybody may see; its path is often a key."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return ""


def _call(webhook: Webhook, event: Event) -> TestResult:
    try:
        secret = secrets.unseal(webhook.sealed_secret) if webhook.sealed_secret else ""
    except InvalidToken:
        return TestResult(False, error="No present key opens its secret. Set it again.")
    try:
        answer = calls.call(
            workspace=webhook.workspace,
            url=webhook.url,
            scheme=Message.Scheme.MLFLOW,
            identity=str(uuid7()),
            secret=secret,
            body=sample_body(event),
            purpose=f"test of webhook {webhook.uid}",
            deadline_s=TEST_DEADLINE_S,
        )
    except (AddressRefused, Unreachable, DeadlineExceeded, ResponseTooLarge) as error:
        return TestResult(False, error=error.message)
    problem = "" if answer.accepted else f"The receiver answers {answer.status}."
    return TestResult(answer.accepted, answer.status, answer.excerpt, problem)


def sample_body(event: Event) -> bytes:
    """What a test call carries."""
    return facts.body(event, facts.sample(event), datetime.now(UTC)).encode()


@transaction.atomic
def _insert(webhook: Webhook, caller: Caller) -> Webhook:
    if webhooks_of(caller.workspace).count() >= MAX_WEBHOOKS:
        raise Conflict(f"A workspace has at most {MAX_WEBHOOKS} webhooks.", code="too_many")
    webhook.save(force_insert=True)
    webhook.refresh_from_db(fields=["created_at", "updated_at"])
    _record(Action.WEBHOOK_CREATED, webhook, caller, after=_facts(webhook))
    return webhook


@transaction.atomic
def _change(webhook: Webhook, wanted: dict[str, Any], caller: Caller) -> Webhook:
    webhook = _lock(webhook)
    before = _facts(webhook)
    edited = sorted(key for key, value in wanted.items() if getattr(webhook, key) != value)
    if not edited:
        return webhook
    for key in edited:
        setattr(webhook, key, wanted[key])
    webhook.updated_at = ClockTimestamp()
    webhook.save(update_fields=[*edited, "updated_at"])
    webhook.refresh_from_db(fields=["updated_at"])
    details: dict[str, Any] = {"edited": edited}
    if webhook.status == Webhook.Status.DISABLED:
        reason = "The webhook was switched off."
        details["given_up"] = send.withdraw(subscription=webhook.uid, reason=reason)
    elif {"url", "sealed_secret"} & set(edited):
        details["redirected"] = send.redirect(
            subscription=webhook.uid, url=webhook.url, sealed_secret=webhook.sealed_secret
        )
    _record(
        Action.WEBHOOK_UPDATED,
        webhook,
        caller,
        before=before,
        after=_facts(webhook),
        details=details,
    )
    return webhook


def _lock(webhook: Webhook) -> Webhook:
    found = (
        Webhook.objects.select_for_update(of=("self",))
        .select_related("workspace")
        .filter(pk=webhook.pk, deleted_at=None)
        .first()
    )
    if found is None:
        raise NotFound(f"Webhook with ID {webhook.uid} not found", code="webhook_not_found")
    return found


def _name(name: str) -> str:
    if not _NAME.match(name):
        reason = (
            "A webhook's name has at most 63 letters, digits, “.”, “_” and “-”, and begins and "
            "ends with a letter or digit."
        )
        raise Invalid(reason, code="invalid_name", fields={"name": [reason]})
    return name


def _checked_url(url: str, workspace: Workspace) -> str:
    try:
        pinned = check_url(url, workspace)
    except AddressRefused as error:
        raise WebhookRefused(error.message, host=host_of(url)) from None
    except (Unreachable, DeadlineExceeded) as error:
        raise Invalid(
            error.message, code="host_not_found", fields={"url": [error.message]}
        ) from None
    if "#" in url:
        raise WebhookRefused("A URL here has no fragment.", host=host_of(url))
    if url.lower().startswith("http:") and is_public(ipaddress.ip_address(pinned.address)):
        reason = "A public address is told over https only."
        raise WebhookRefused(reason, host=host_of(url))
    return url


def _events(given: Iterable[Event]) -> list[dict[str, str]]:
    wanted = list(dict.fromkeys(given))
    reason = None
    if not wanted:
        reason = "Choose at least one event."
    for event in wanted:
        if not event.is_known:
            allowed = ", ".join(facts.ACTIONS.get(event.entity, ())) or "none"
            reason = (
                f"Invalid action '{event.action[:40]}' for entity '{event.entity[:40]}'. "
                f"Valid actions are: {allowed}"
            )
            break
    if reason is not None:
        raise Invalid(reason, code="invalid_event", fields={"events": [reason]})
    return [event.stored for event in wanted]


def _status(status: str) -> str:
    if status not in Webhook.Status.values:
        reason = f"A webhook is {' or '.join(Webhook.Status.values)}."
        raise Invalid(reason, fields={"status": [reason]})
    return status


def _sealed(secret: str) -> str:
    if len(secret) > MAX_SECRET or "\x00" in secret:
        reason = f"A secret has at most {MAX_SECRET:,} characters, and no NUL."
        raise Invalid(reason, fields={"secret": [reason]})
    return secrets.seal(secret) if secret else ""


def _facts(webhook: Webhook) -> dict[str, Any]:
    # The host only: paths and queries of such URLs often are keys themselves.
    return {
        "host": host_of(webhook.url),
        "events": [Event(it["entity"], it["action"]).name for it in webhook.events],
        "status": str(webhook.status),
        "signed": bool(webhook.sealed_secret),
    }


def _record(action: Action, webhook: Webhook, caller: Caller, **what: Any) -> None:
    audit.record(
        action,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="webhook",
        object_id=str(webhook.uid),
        object_name=webhook.name,
        **what,
    )
