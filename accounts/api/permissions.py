"""One rule for every API view: it names the capability of each method or action, or is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import exceptions
from rest_framework.permissions import BasePermission

from accounts import http
from accounts.roles import Capability
from common.errors import NotAllowed

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class CapabilityPermission(BasePermission):
    """Reads ``view.capabilities``: per HTTP method (``"get"``), or per action name for viewsets.

    Sets ``request.caller``. A method or action without an entry answers 403 to everybody.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.user is None and request.auth is None:
            return False  # 401, before anything is said about methods
        key = _key(request, view)
        caller = http.caller_of(request)
        http.remember(request, caller)
        capability = _capabilities(view).get(key)
        if capability is None:
            return False
        if capability is Capability.REQUEST_SIGN and caller.is_machine:
            raise NotAllowed(
                "Only a person in a session can sign; a token cannot, whoever it belongs to.",
                code="machine_cannot_sign",
            )
        caller.insist(capability)
        return True


def _capabilities(view: APIView) -> dict[str, Capability]:
    found: Any = getattr(view, "capabilities", {})
    return found if isinstance(found, dict) else {}


def _key(request: Request, view: APIView) -> str:
    method = (request.method or "").lower()
    method = "get" if method == "head" else method
    if hasattr(view, "action_map"):  # a viewset
        name = (view.action_map or {}).get(method)
        if name is None:
            raise exceptions.MethodNotAllowed(request.method or "")
        return str(name)
    if not hasattr(view, method) or method == "options":
        raise exceptions.MethodNotAllowed(request.method or "")
    return method
