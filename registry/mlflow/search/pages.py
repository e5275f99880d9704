"""Page tokens: where the last page ended, signed and good for that one search only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from django.core import signing

from registry.mlflow.search.errors import SearchRefused

_SALT = "registry.mlflow.search"


def search_key(*parts: Any) -> str:
    """What a token is bound to: the same parts, the same key."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def token_after(values: Sequence[Any], key: str) -> str:
    """A token for the page that begins after the row with these values to order by."""
    return signing.Signer(salt=f"{_SALT}:{key}").sign_object(list(values))


def values_of(token: str, key: str, *, types: Sequence[type]) -> list[Any]:
    """What ``token_after`` was given. Raises: SearchRefused."""
    try:
        values = signing.Signer(salt=f"{_SALT}:{key}").unsign_object(token)
    except (signing.BadSignature, ValueError):
        raise SearchRefused(
            "Invalid page token: it was not given for this search, or it was changed on the way."
        ) from None
    if not isinstance(values, list) or [type(value) for value in values] != list(types):
        raise SearchRefused("Invalid page token: it is from another version of this server.")
    return values
