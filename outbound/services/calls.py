"""One webhook call, now: signed as its scheme has it, with what came back and may be kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outbound import client
from outbound.addresses import parse_url
from outbound.models import Message
from outbound.services.destinations import may_quote

if TYPE_CHECKING:
    from accounts.models import Workspace

DEADLINE_S = 10.0
MAX_ANSWER_BYTES = 65_536
MAX_EXCERPT = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said. ``excerpt`` is empty where its host may not be quoted."""

    status: int
    excerpt: str = ""

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


def call(
    *,
    workspace: Workspace,
    url: str,
    scheme: str,
    identity: str,
    secret: str,
    body: bytes,
    purpose: str,
    deadline_s: float = DEADLINE_S,
) -> Answer:
    """POST ``body`` under ``identity``. MLflow's scheme goes unsigned where ``secret`` is empty.

    Raises: AddressRefused, Unreachable, DeadlineExceeded, ResponseTooLarge.
    """
    answer = client.request(
        "POST",
        url,
        workspace=workspace,
        headers=headers(scheme, identity=identity, secret=secret, body=body),
        content=body,
        deadline_s=deadline_s,
        max_bytes=MAX_ANSWER_BYTES,
        purpose=purpose,
    )
    target = parse_url(url)
    quoted = may_quote(workspace, host=target.host, address=answer.address, port=target.port)
    return Answer(status=answer.status, excerpt=_excerpt(answer.content) if quoted else "")


def headers(scheme: str, *, identity: str, secret: str, body: bytes) -> dict[str, str]:
    """The headers of one call made now; both schemes sign ``id.timestamp.body``."""
    now = int(time.time())
    if scheme != Message.Scheme.MLFLOW:
        return {
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(secret, identity, now, body),
        }
    unsigned = {
        "Content-Type": "application/json",
        "X-MLflow-Delivery-Id": identity,
        "X-MLflow-Timestamp": str(now),
    }
    if not secret:
        return unsigned
    return {**unsigned, "X-MLflow-Signature": sign(secret, identity, now, body)}


def sign(secret: str, identity: str, timestamp: int, body: bytes) -> str:
    """``v1,`` and the HMAC-SHA256 in base64, as Standard Webhooks and MLflow both have it."""
    signed = f"{identity}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _excerpt(content: bytes) -> str:
    text = content[: 4 * MAX_EXCERPT].decode("utf-8", errors="replace")
    plain = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split())[:MAX_EXCERPT]
