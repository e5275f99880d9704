"""Emptying the outbox: at least once, in order of waiting, with patience and an end to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import smtplib
import time
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import connection, transaction

from audit.actions import Action
from audit.actor import Actor
from audit.services.record import record
from jobs.clock import ClockTimestamp
from outbound import client, secrets
from outbound.errors import (
    AddressRefused,
    DeadlineExceeded,
    ResponseTooLarge,
    Unreachable,
)
from outbound.models import Message

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 10
LEASE_S = 120.0
BACKOFF_CAP_S = 3600.0
WEBHOOK_DEADLINE_S = 10.0
_TRY_LATER = frozenset({408, 425, 429})

_CLAIM = """
    UPDATE outbound_message
       SET attempts = attempts + 1,
           next_try_at = clock_timestamp() + make_interval(secs => %(lease)s)
     WHERE id = (SELECT id FROM outbound_message
                  WHERE state = 'queued' AND next_try_at <= clock_timestamp()
                  ORDER BY next_try_at, id LIMIT 1
                    FOR UPDATE SKIP LOCKED)
    RETURNING id
"""


class Undeliverable(Exception):
    """This message will never arrive; trying again is no use."""


class NotNow(Exception):
    """It did not arrive this time."""


def deliver_due(max_s: float = 20.0) -> int:
    """Deliver what is due, for at most about ``max_s`` seconds; how many attempts that were.

    An attempt takes a lease and counts itself before anything leaves, so two workers never send
    the same message at once, and a crash in the middle is tried again under the same id.
    """
    deadline = time.monotonic() + max_s
    attempts = 0
    while time.monotonic() < deadline and (message := _claim()) is not None:
        attempts += 1
        _attempt(message)
    return attempts


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``, as the Standard Webhooks specification has it (v1)."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _claim() -> Message | None:
    with transaction.atomic(), connection.cursor() as sql:
        sql.execute(_CLAIM, {"lease": LEASE_S})
        row = sql.fetchone()
        if row is None:
            return None
        return Message.objects.select_related("workspace").get(pk=row[0])


def _attempt(message: Message) -> None:
    try:
        if message.kind == Message.Kind.MAIL:
            _send_mail(message)
        else:
            _call_webhook(message)
    except AddressRefused as refusal:
        _refused(message, refusal)
    except Undeliverable as reason:
        _give_up(message, str(reason))
    except NotNow as reason:
        _try_later(message, str(reason))
    else:
        _mine(message).update(
            state=Message.State.SENT,
            sent_at=ClockTimestamp(),
            error="",
            sealed_secret=_spent(message),
        )
        logger.info("outbox %s %s: sent", message.kind, message.uid)


def _send_mail(message: Message) -> None:
    mail = EmailMessage(
        subject=message.subject,
        body=message.body,
        to=message.to,
        headers={"Message-ID": message.message_id, "Auto-Submitted": "auto-generated"},
    )
    backend = get_connection()
    try:
        backend.send_messages([mail])
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        if all(500 <= code < 600 for code in codes):
            raise Undeliverable("The mail server refuses every receiver.") from None
        raise NotNow("The mail server refuses the receivers for now.") from None
    except smtplib.SMTPResponseException as error:
        if 500 <= error.smtp_code < 600:
            raise Undeliverable(f"The mail server refuses ({error.smtp_code}).") from None
        raise NotNow(f"The mail server answers {error.smtp_code}.") from None
    except (OSError, smtplib.SMTPException) as error:
        raise NotNow(f"The mail server was not reached ({type(error).__name__}).") from None


def _call_webhook(message: Message) -> None:
    try:
        secret = secrets.unseal(message.sealed_secret)
    except InvalidToken:
        raise Undeliverable("No present key opens its secret.") from None
    body = message.body.encode()
    now = int(time.time())
    identity = message.message_id.strip("<>")
    headers = {
        "Content-Type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(secret, identity, now, body),
    }
    try:
        answer = client.request(
            "POST",
            message.url,
            workspace=message.workspace,
            headers=headers,
            content=body,
            deadline_s=WEBHOOK_DEADLINE_S,
            max_bytes=65_536,
            purpose=f"webhook {message.uid}",
        )
    except (Unreachable, DeadlineExceeded, ResponseTooLarge) as error:
        raise NotNow(error.message) from None
    if 200 <= answer.status < 300:
        return
    if 300 <= answer.status < 500 and answer.status not in _TRY_LATER:
        raise Undeliverable(f"The receiver answers {answer.status}.")
    raise NotNow(f"The receiver answers {answer.status}.")


def _try_later(message: Message, reason: str) -> None:
    if message.attempts >= MAX_ATTEMPTS:
        _give_up(message, f"{reason} Given up after {message.attempts} attempts.")
        return
    base = float(getattr(settings, "OUTBOX_RETRY_SECONDS", 15.0))
    wait_s = min(BACKOFF_CAP_S, base * 2 ** (message.attempts - 1))
    with connection.cursor() as sql:
        sql.execute(
            "UPDATE outbound_message SET error = %s,"
            " next_try_at = clock_timestamp() + make_interval(secs => %s)"
            " WHERE id = %s AND state = 'queued' AND attempts = %s",
            [reason[:300], wait_s, message.pk, message.attempts],
        )
    logger.warning("outbox %s %s: attempt %d failed", message.kind, message.uid, message.attempts)


def _give_up(message: Message, reason: str) -> None:
    _mine(message).update(
        state=Message.State.FAILED, error=reason[:300], sealed_secret=_spent(message)
    )
    logger.error("outbox %s %s: given up", message.kind, message.uid)


def _refused(message: Message, refusal: AddressRefused) -> None:
    with transaction.atomic():
        _give_up(message, refusal.message)
        record(
            Action.ADDRESS_REFUSED,
            actor=Actor.system("outbound", workspace=message.workspace.slug),
            object_type="message",
            object_id=str(message.uid),
            object_name=message.purpose,
            details={"code": refusal.code},
            pii={"url": message.url},
        )


def _spent(message: Message) -> str:
    """The secret's place in a finished message; a webhook keeps one, as its constraint asks."""
    return "spent" if message.kind == Message.Kind.WEBHOOK else ""


def _mine(message: Message) -> Any:
    """The row, while this attempt is its newest and nobody has finished it."""
    return Message.objects.filter(
        pk=message.pk, state=Message.State.QUEUED, attempts=message.attempts
    )
