"""Is an answer to a hook really the hook's? The same signature as we send, the other way round."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cryptography.fernet import InvalidToken

from audit.actions import Action
from audit.services import record as audit
from common.errors import NotAllowed
from outbound import secrets
from outbound.services.calls import sign

if TYPE_CHECKING:
    from accounts.callers import Caller
    from serving.models import EndpointProvision

#: How far apart the clocks may be, and how old a replayed answer.
TOLERANCE_S = 300


class NotTheHook(NotAllowed):
    """The signature over the body is not one of the hook's secret."""

    code = "hook_signature"
    title = "The answer is not signed as it should be"


def insist_signed(
    *, provision: EndpointProvision, headers: Mapping[str, str], body: bytes, caller: Caller
) -> None:
    """Whoever answers holds the hook's secret. For an edge: a refusal is an event.

    ``webhook-signature`` is ``v1,`` and the base64 HMAC-SHA256 of
    ``{webhook-id}.{webhook-timestamp}.{body}``; ``webhook-id`` is the id that the hook was given.
    Several signatures may stand there, parted by blanks.

    Raises: NotTheHook.
    """
    reason = _why_not(provision, headers, body)
    if reason is None:
        return
    audit.refuse(
        Action.ENDPOINT_REFUSED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="version",
        object_id=str(provision.version.uid),
        object_name=str(provision.version),
        code=NotTheHook.code,
        details={"answer": str(provision.uid)},
    )
    raise NotTheHook(reason)


def _why_not(provision: EndpointProvision, headers: Mapping[str, str], body: bytes) -> str | None:
    given = {name: headers.get(name, "") for name in ("webhook-id", "webhook-timestamp")}
    signatures = headers.get("webhook-signature", "").split()[:10]
    if not all(given.values()) or not signatures:
        return "Sign the answer: webhook-id, webhook-timestamp and webhook-signature."
    if given["webhook-id"] != str(provision.uid):
        return "webhook-id is another one than the address's."
    stamp = given["webhook-timestamp"]
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        return "webhook-timestamp is the Unix time in seconds."
    if abs(time.time() - int(stamp)) > TOLERANCE_S:
        return f"webhook-timestamp is more than {TOLERANCE_S} s away."
    try:
        secret = secrets.unseal(provision.source.sealed_secret)
    except InvalidToken:
        return "The hook's secret is gone or cannot be read. Set it again."
    right = sign(secret, str(provision.uid), int(stamp), body).encode()
    if any(hmac.compare_digest(right, one.encode()) for one in signatures):
        return None
    return "The signature does not fit the body."
