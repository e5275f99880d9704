"""Putting something into the outbox, in the transaction of the change that it tells of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.template import Context, loader

from common.errors import Invalid
from common.ids import uuid7
from outbound import secrets
from outbound.addresses import parse_url
from outbound.models import Message

if TYPE_CHECKING:
    from accounts.models import Workspace


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call to a subscriber; ``sealed_secret`` is empty where it asked for no signature."""

    subscription: UUID
    url: str
    body: str
    purpose: str
    subject: str
    sealed_secret: str = ""
    again_of: UUID | None = None


MAX_RECIPIENTS = 50
MAX_BODY = 200_000


def mail(
    *,
    workspace: Workspace,
    to: list[str],
    subject: str,
    template: str,
    context: Mapping[str, Any],
    dedupe_key: str,
    purpose: str,
) -> Message:
    """Write one plain-text mail; it leaves after the commit, at least once, under one Message-ID.

    ``template`` is rendered now, as text, without HTML escaping. A second call with the same
    ``dedupe_key`` (at most 200 characters) returns the first message and writes nothing.

    Raises: Invalid: nobody to write to, or an address that is none.
    """
    receivers = _receivers(to)
    found = loader.get_template(template)
    text = found.template.render(  # type: ignore[attr-defined]  # Django's own engine
        Context(
            {**context, "workspace": workspace, "base_url": settings.BASE_URL}, autoescape=False
        )
    )
    return _write(
        workspace,
        Message.Kind.MAIL,
        dedupe_key,
        purpose=purpose,
        to=receivers,
        # One line: a name with a line break in it must not begin a header of its own.
        subject=" ".join(subject.replace("\x00", "").split())[:300],
        body=text.replace("\x00", "")[:MAX_BODY],
    )


def webhook(
    *,
    workspace: Workspace,
    url: str,
    event: str,
    payload: Mapping[str, Any],
    secret: str,
    dedupe_key: str,
    purpose: str,
    subscription: UUID | None = None,
) -> Message:
    """Write one webhook call: JSON ``{"type": event, "data": payload}``, signed when it leaves.

    Raises:
        AddressRefused: the URL can never be called (it is checked again at each delivery).
        Invalid: no secret, or a payload that is too large or no JSON.
    """
    parse_url(url)
    if len(secret) < 16:
        raise Invalid("A webhook's secret has at least 16 characters.")
    try:
        body = json.dumps({"type": event, "data": dict(payload)}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid("A webhook's payload is JSON.") from error
    if len(body) > MAX_BODY:
        raise Invalid(f"A webhook's payload has at most {MAX_BODY:,} characters.")
    return _write(
        workspace,
        Message.Kind.WEBHOOK,
        dedupe_key,
        purpose=purpose,
        subscription=subscription,
        subject=event[:300],
        url=url,
        body=body,
        sealed_secret=secrets.seal(secret),
    )


def deliveries(messages: Sequence[Delivery], *, workspace: Workspace) -> list[Message]:
    """Write calls in MLflow's scheme, in the transaction of the change that they tell of.

    The subscriber's address was checked when it was given and is checked again at each attempt.
    """
    host = urlsplit(settings.BASE_URL).hostname or "localhost"
    rows = []
    for one in messages:
        if len(one.body) > MAX_BODY:
            raise Invalid(f"A webhook's payload has at most {MAX_BODY:,} characters.")
        uid = uuid7()
        rows.append(
            Message(
                uid=uid,
                workspace=workspace,
                kind=Message.Kind.WEBHOOK,
                scheme=Message.Scheme.MLFLOW,
                purpose=one.purpose,
                subject=one.subject[:300],
                subscription=one.subscription,
                again_of=one.again_of,
                url=one.url,
                body=one.body,
                sealed_secret=one.sealed_secret,
                dedupe_key=f"delivery:{uid}",
                message_id=f"<{uid}@{host}>",
            )
        )
    return Message.objects.bulk_create(rows)


def redirect(*, subscription: UUID, url: str, sealed_secret: str) -> int:
    """Send what waits for this subscriber to its new address, under its new secret."""
    waiting = Message.objects.filter(subscription=subscription, state=Message.State.QUEUED)
    return waiting.update(url=url, sealed_secret=sealed_secret)


def withdraw(*, subscription: UUID, reason: str) -> int:
    """Give up what waits for this subscriber; how many that were."""
    waiting = Message.objects.filter(subscription=subscription, state=Message.State.QUEUED)
    return waiting.update(state=Message.State.FAILED, error=reason[:300], sealed_secret="spent")


def _write(workspace: Workspace, kind: Message.Kind, dedupe_key: str, **values: Any) -> Message:
    fact = f"countersign:{workspace.slug}:{kind}:{dedupe_key}"
    host = urlsplit(settings.BASE_URL).hostname or "localhost"
    message, _ = Message.objects.get_or_create(
        workspace=workspace,
        kind=kind,
        dedupe_key=dedupe_key,
        defaults={**values, "message_id": f"<{uuid5(NAMESPACE_URL, fact)}@{host}>"},
    )
    return message


def _receivers(to: list[str]) -> list[str]:
    receivers = list(dict.fromkeys(address.strip() for address in to))
    if not 1 <= len(receivers) <= MAX_RECIPIENTS:
        raise Invalid(f"A mail has 1 to {MAX_RECIPIENTS} receivers.", fields={"to": ["How many?"]})
    for address in receivers:
        try:
            validate_email(address)
        except ValidationError:
            raise Invalid(
                "One of the addresses is no e-mail address.", fields={"to": ["Not an address."]}
            ) from None
    return receivers
