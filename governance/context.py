"""What the top bar shows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.urls import get_script_prefix
from django.utils.functional import SimpleLazyObject

from accounts import selectors as accounts
from accounts.http import caller_of
from accounts.roles import Capability, Role
from common.errors import DomainError
from governance import queue
from governance.models import Finding
from monitoring.models import Alert

if TYPE_CHECKING:
    from accounts.callers import Caller


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Who is signed in where, and what waits: a constant number of queries, and none for a part
    that has no top bar (those are polled each second)."""
    return {"nav": SimpleLazyObject(partial(_nav, request))}


def _nav(request: HttpRequest) -> dict[str, Any]:
    if not getattr(getattr(request, "user", None), "is_authenticated", False):
        return {}
    try:
        caller = caller_of(request)
    except DomainError:
        # No workspace chosen yet: the chooser and the error pages have a bar without counts.
        return {"user_name": str(request.user)}
    return _counts(request, caller)


def _counts(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    workspace = caller.workspace
    held = accounts.memberships_by_workspace(caller.user) if caller.user is not None else {}
    return {
        "requests_waiting": len(queue.waiting_for(caller)),
        "alerts_open": Alert.objects.filter(workspace=workspace, state=Alert.State.OPEN).count(),
        "findings_open": Finding.objects.filter(
            workspace=workspace, state=Finding.State.OPEN
        ).count(),
        "workspace": workspace,
        "workspaces": [
            {
                "name": other.name,
                "url": f"{_root(request)}w/{other.slug}/",
                "current": other.pk == workspace.pk,
            }
            for other in held
        ],
        "user_name": caller.label,
        # A way that only leads to “not allowed” is not shown.
        "closed_sections": [] if caller.may(Capability.AUDIT_VIEW) else ["audit"],
        "may_administer": caller.may(Capability.WORKSPACE_ADMIN),
        "roles": [Role(role).label for role in sorted(caller.roles)],
    }


def _root(request: HttpRequest) -> str:
    """The path in front of ``/w/{slug}/``: the script prefix without the workspace's own part."""
    prefix = get_script_prefix()
    slug = getattr(request, "workspace_slug", None)
    return prefix.removesuffix(f"w/{slug}/") if slug else prefix
