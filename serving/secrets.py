"""Header values at rest: Fernet under ``FIELD_KEYS``, the newest key first."""

from __future__ import annotations

import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from common.errors import Conflict


class SecretUnreadable(Conflict):
    """No key that we have opens it: the key is gone, or the row was tampered with."""

    code = "secret_unreadable"
    title = "A secret cannot be read"


def encrypt(value: str, *, bound_to: str) -> bytes:
    """The ciphertext, which opens only for the same ``bound_to`` (endpoint and header)."""
    plain = json.dumps({"for": bound_to, "value": value}).encode()
    return _keys().encrypt(plain)


def decrypt(ciphertext: bytes, *, bound_to: str) -> str:
    """The value. Raises: SecretUnreadable; also for a ciphertext moved from another row."""
    try:
        content = json.loads(_keys().decrypt(bytes(ciphertext)))
    except InvalidToken:
        raise SecretUnreadable("No key that we have opens this secret. Set it again.") from None
    if content["for"] != bound_to:
        raise SecretUnreadable("This secret belongs to another endpoint. Set it again.")
    value: str = content["value"]
    return value


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])
