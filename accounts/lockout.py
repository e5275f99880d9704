"""What axes asks us: whose attempt this is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.http import HttpRequest


def username(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """The e-mail that was tried, in one spelling; allauth says ``email``, the form ``login``."""
    given = credentials or {}
    tried = given.get("email") or given.get("username")
    if not tried and request is not None:
        tried = request.POST.get("login", "")
    return str(tried or "").strip().lower()[:254]
