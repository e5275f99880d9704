"""Emptying the outbox: at least once, in order of waiting, with patience and an end to it."""

from __future__ import annotations

import logging
import smtplib
import time
from datetime import timedelta
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import connection, transaction

from audit.actions import Action
from audit.actor import Actor
from audit.services.record import record
from jobs.clock import ClockTimestamp
from outbound import secrets
from outbound.errors import (
    AddressRefused,
    DeadlineExceeded,
    ResponseTooLarge,
    Unreachable,
)
from outbound.models import Message
from outbound.services import calls
from outbound.services.calls import sign

__all__ = ["deliver_due", "identity", "sign"]

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 10
LEASE_S = 120.0
BACKOFF_CAP_S = 3600.0
#: A subscriber's backlog is tried one after the other, so each has an end of its own.
MAX_AGE = timedelta(days=3)
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


class _NotDelivered(Exception):
    """Why not, and what the receiver answered if it did."""

    def __init__(self, reason: str, answer: calls.Answer | None = None) -> None:
        super().__init__(reason)
        self.answer = answer


class Undeliverable(_NotDelivered):
    """This message will never arrive; trying again is no use."""


class NotNow(_NotDelivered):
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


def _claim() -> Message | None:
    with transaction.atomic(), connection.cursor() as sql:
        sql.execute(_CLAIM, {"lease": LEASE_S})
        row = sql.fetchone()
        if row is None:
            return None
        return Message.objects.select_related("workspace").get(pk=row[0])


def _attempt(message: Message) -> None:
    answer: calls.Answer | None = None
    try:
        if message.kind == Message.Kind.MAIL:
            _send_mail(message)
        else:
            answer = _call_webhook(message)
    except AddressRefused as refusal:
        _refused(message, refusal)
    except Undeliverable as error:
        _give_up(message, str(error), error.answer)
    except NotNow as error:
        _try_later(message, str(error), error.answer)
    else:
        _mine(message).update(
            state=Message.State.SENT,
            sent_at=ClockTimestamp(),
            error="",
            sealed_secret=_spent(message),
            **_heard(answer),
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


def _call_webhook(message: Message) -> calls.Answer:
    try:
        secret = secrets.unseal(message.sealed_secret) if message.sealed_secret else ""
    except InvalidToken:
        raise Undeliverable("No present key opens its secret.") from None
    try:
        answer = calls.call(
            workspace=message.workspace,
            url=message.url,
            scheme=message.scheme,
            identity=identity(message),
            secret=secret,
            body=message.body.encode(),
            purpose=f"webhook {message.uid}",
        )
    except (Unreachable, DeadlineExceeded, ResponseTooLarge) as error:
        raise NotNow(error.message) from None
    if answer.accepted:
        return answer
    reason = f"The receiver answers {answer.status}."
    if 300 <= answer.status < 500 and answer.status not in _TRY_LATER:
        raise Undeliverable(reason, answer)
    raise NotNow(reason, answer)


def identity(message: Message) -> str:
    """What a webhook's receiver is told as the delivery's id: the same at every attempt."""
    if message.scheme == Message.Scheme.MLFLOW:
        return str(message.uid)
    return message.message_id.strip("<>")


def _try_later(message: Message, reason: str, answer: calls.Answer | None) -> None:
    if message.attempts >= MAX_ATTEMPTS:
        _give_up(message, f"{reason} Given up after {message.attempts} attempts.", answer)
        return
    if message.subscription is not None and _is_old(message):
        _give_up(message, f"{reason} Given up after {MAX_AGE.days} days.", answer)
        return
    base = float(getattr(settings, "OUTBOX_RETRY_SECONDS", 15.0))
    wait_s = min(BACKOFF_CAP_S, base * 2 ** (message.attempts - 1))
    again_at = ClockTimestamp() + timedelta(seconds=wait_s)
    _mine(message).update(error=reason[:300], next_try_at=again_at, **_heard(answer))
    _hold_back(message, again_at)
    logger.warning("outbox %s %s: attempt %d failed", message.kind, message.uid, message.attempts)


def _hold_back(message: Message, until: Any) -> None:
    """What else waits for this receiver waits too: one that hangs delays nobody's mail."""
    if message.subscription is not None:
        Message.objects.filter(
            subscription=message.subscription, state=Message.State.QUEUED, next_try_at__lt=until
        ).exclude(pk=message.pk).update(next_try_at=until)


def _is_old(message: Message) -> bool:
    return Message.objects.filter(pk=message.pk, created_at__lt=ClockTimestamp() - MAX_AGE).exists()


def _give_up(message: Message, reason: str, answer: calls.Answer | None = None) -> None:
    _mine(message).update(
        state=Message.State.FAILED,
        error=reason[:300],
        sealed_secret=_spent(message),
        **_heard(answer),
    )
    logger.error("outbox %s %s: given up", message.kind, message.uid)


def _heard(answer: calls.Answer | None) -> dict[str, Any]:
    return {
        "tried_at": ClockTimestamp(),
        "response_status": answer.status if answer else None,
        "response_excerpt": answer.excerpt if answer else "",
    }


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
