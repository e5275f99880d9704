"""Tokens and sessions at the API's door; a token is never mixed with a browser's cookies."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from rest_framework import authentication, exceptions

from accounts import http
from accounts.services import tokens

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

    from accounts.models import ApiToken, User

_LOOKS_LIKE_A_TOKEN = re.compile(r"cs_[0-9a-z]{8}_[0-9A-Za-z]{16,}")


class TokenBearer:
    """``request.user`` of a service account: signed in, but no person."""

    is_authenticated = True
    is_anonymous = False
    is_active = True
    pk = None

    def __init__(self, token: ApiToken) -> None:
        self.token = token

    def __str__(self) -> str:
        return str(self.token.service_account)


class TokenAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer cs_…``; or Basic with the token as the password (mlflow, curl)."""

    def authenticate(self, request: Request) -> tuple[User | TokenBearer, ApiToken] | None:
        if in_address(request):
            raise exceptions.AuthenticationFailed(
                "A token stands in the address, where proxies and logs keep it. Send it as "
                "“Authorization: Bearer …”, and revoke this one.",
                code="token_in_url",
            )
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        token = tokens.authenticate(credential(header))
        if token is None:
            # One sentence for unknown, wrong, expired and revoked: a guesser learns nothing.
            raise exceptions.AuthenticationFailed(
                "The token is not valid, has expired or was revoked.", code="token_invalid"
            )
        http.remember(request, http.token_caller(request, token))
        return (TokenBearer(token) if token.user is None else token.user), token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="countersign"'


class SessionAuthentication(authentication.SessionAuthentication):
    """A browser's session, with the CSRF token. The workspace is settled by the permission."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        user = getattr(request._request, "user", None)
        if user is None or not user.is_authenticated:
            return None
        self.enforce_csrf(request)
        return user, None


def in_address(request: Request | HttpRequest) -> bool:
    """Whether something that looks like a token stands in the path or the query."""
    query = request.META.get("QUERY_STRING", "")
    return bool(_LOOKS_LIKE_A_TOKEN.search(query) or _LOOKS_LIKE_A_TOKEN.search(request.path))


def credential(header: str) -> str:
    """The token in an ``Authorization`` header, Bearer or Basic; empty when there is none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return decoded.partition(":")[2]
    return ""


def bearer_caller(request: HttpRequest) -> Any:
    """The caller of a plain Django view by its ``Authorization`` header, or None.

    For the few endpoints outside REST framework (metrics, gateway agents).
    """
    header = request.META.get("HTTP_AUTHORIZATION", "")
    token = tokens.authenticate(credential(header)) if header else None
    if token is None:
        return None
    caller = http.token_caller(request, token)
    http.remember(request, caller)
    return caller
