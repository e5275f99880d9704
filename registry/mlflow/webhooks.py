"""MLflow's webhook calls. A secret goes in and never comes out."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from accounts.roles import Capability
from registry.mlflow import errors
from registry.mlflow.http import Call, endpoint, operation
from registry.mlflow.params import Integer, Raw, Text, wrong_type
from registry.mlflow.render import ms
from registry.services import webhooks
from registry.webhook_events import Event

if TYPE_CHECKING:
    from registry.models import Webhook

VIEW, ADMIN = Capability.VIEW, Capability.WORKSPACE_ADMIN
DEFAULT_PAGE = 100
MAX_PAGE = 1000
MAX_EVENTS = 100


@operation(
    ADMIN,
    name=Text(required=True),
    url=Text(required=True),
    events=Raw(),
    description=Text(),
    secret=Text(),
    status=Text(),
)
def create(
    call: Call,
    *,
    name: str,
    url: str,
    events: Any,
    description: str | None,
    secret: str | None,
    status: str | None,
) -> Mapping[str, Any]:
    if events is None:
        raise errors.missing("events")
    with webhooks.refusals_recorded(caller=call.caller, name=name):
        webhook = webhooks.create(
            caller=call.caller,
            name=name,
            url=url,
            events=[_event("events", it) for it in _list(events)],
            description=description or "",
            secret=secret or "",
            status=status or "ACTIVE",
        )
    return {"webhook": webhook_json(webhook, call)}


@operation(VIEW, max_results=Integer(default=DEFAULT_PAGE), page_token=Text())
def listing(call: Call, *, max_results: int, page_token: str | None) -> Mapping[str, Any]:
    if not 1 <= max_results <= MAX_PAGE:
        raise errors.invalid(
            f"Invalid value {max_results} for parameter 'max_results' supplied. "
            f"It must be at least 1 and at most {MAX_PAGE}."
        )
    found = webhooks.webhooks_of(call.caller.workspace)
    if page_token:
        found = found.filter(pk__lt=_before(page_token))
    rows = list(found[: max_results + 1])
    body: dict[str, Any] = {"webhooks": [webhook_json(it, call) for it in rows[:max_results]]}
    if len(rows) > max_results:
        body["next_page_token"] = _token(rows[max_results - 1].pk)
    return body


@operation(VIEW)
def get(call: Call, *, webhook_id: str) -> Mapping[str, Any]:
    return {"webhook": webhook_json(_found(call, webhook_id), call)}


@operation(
    ADMIN, name=Text(), url=Text(), events=Raw(), description=Text(), secret=Text(), status=Text()
)
def update(
    call: Call,
    *,
    webhook_id: str,
    name: str | None,
    url: str | None,
    events: Any,
    description: str | None,
    secret: str | None,
    status: str | None,
) -> Mapping[str, Any]:
    webhook = _found(call, webhook_id)
    # The client sends an empty list for events that it leaves alone.
    wanted = [_event("events", it) for it in _list(events)] if events else None
    with webhooks.refusals_recorded(caller=call.caller, name=webhook.name):
        changed = webhooks.update(
            caller=call.caller,
            webhook=webhook,
            name=name,
            url=url,
            events=wanted,
            description=description,
            secret=secret or None,
            status=status,
        )
    return {"webhook": webhook_json(changed, call)}


@operation(ADMIN)
def delete(call: Call, *, webhook_id: str) -> Mapping[str, Any]:
    webhooks.delete(caller=call.caller, webhook=_found(call, webhook_id))
    return {}


@operation(ADMIN, event=Raw())
def test(call: Call, *, webhook_id: str, event: Any) -> Mapping[str, Any]:
    wanted = _event("event", event) if event is not None else None
    result = webhooks.try_out(caller=call.caller, webhook=_found(call, webhook_id), event=wanted)
    shown: dict[str, Any] = {"success": result.success}
    if result.status is not None:
        shown |= {"response_status": result.status, "response_body": result.excerpt}
    if result.error:
        shown["error_message"] = result.error
    return {"result": shown}


collection = endpoint(get=listing, post=create)
single = endpoint(get=get, patch=update, delete=delete)
try_out = endpoint(post=test)


def webhook_json(webhook: Webhook, call: Call) -> dict[str, Any]:
    """As the client reads it. Whoever is no administrator sees the host of the URL, not its path:
    that is often a key."""
    whole = call.bearer.may(ADMIN)
    shown: dict[str, Any] = {
        "webhook_id": str(webhook.uid),
        "name": webhook.name,
        "url": webhook.url if whole else f"{webhooks.host_of(webhook.url)}/…",
        "events": webhook.events,
        "status": webhook.status,
        "creation_timestamp": ms(webhook.created_at),
        "last_updated_timestamp": ms(webhook.updated_at),
    }
    if webhook.description:
        shown["description"] = webhook.description
    return shown


def _found(call: Call, webhook_id: str) -> Webhook:
    return webhooks.get(call.caller.workspace, webhook_id)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_EVENTS:
        raise wrong_type("events", value)
    return value


def _event(parameter: str, value: Any) -> Event:
    if not isinstance(value, dict):
        raise wrong_type(parameter, value)
    entity, action = value.get("entity"), value.get("action")
    if not isinstance(entity, str) or not isinstance(action, str):
        raise wrong_type(parameter, value)
    return Event(entity, action)


def _token(pk: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"before": pk}).encode()).decode()


def _before(token: str) -> int:
    try:
        before = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))["before"]
    except (ValueError, KeyError, TypeError, RecursionError):
        before = None
    if not isinstance(before, int) or isinstance(before, bool) or not 0 < before < 2**63:
        raise errors.invalid("Invalid page token.")
    return before
