"""The two secrets of the trail, neither of which is in the database.

The MAC key is the application's and closes the window before an event is sealed; the signing key is
the sealer's. Everything else needs the public half only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32


def _key(name: str) -> bytes:
    value: str | bytes | None = getattr(settings, name, None)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set: the trail cannot be written without it.")
    if isinstance(value, bytes) and len(value) == KEY_BYTES:
        return value
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImproperlyConfigured(f"{name} is not base64.") from error
    if len(raw) != KEY_BYTES:
        raise ImproperlyConfigured(f"{name} must be {KEY_BYTES} bytes in base64, not {len(raw)}.")
    return raw


def mac(body: str) -> bytes:
    """HMAC-SHA-256 of an event's body under the application's key."""
    return hmac.digest(_key("AUDIT_MAC_KEY"), body.encode(), hashlib.sha256)


def has_mac_key() -> bool:
    return bool(getattr(settings, "AUDIT_MAC_KEY", None))


def signing_key() -> Ed25519PrivateKey:
    """The sealer's private key."""
    return Ed25519PrivateKey.from_private_bytes(_key("AUDIT_SIGNING_KEY"))


def configured_public_key() -> bytes | None:
    """The public half of the configured signing key; None on a host that does not hold it."""
    if not getattr(settings, "AUDIT_SIGNING_KEY", None):
        return None
    return signing_key().public_key().public_bytes_raw()


def fingerprint(public_key: bytes) -> str:
    """How a public key is named outside: ``sha256:`` over its 32 raw bytes."""
    return "sha256:" + hashlib.sha256(public_key).hexdigest()
