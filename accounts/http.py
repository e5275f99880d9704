"""From an HTTP request to a ``Caller``: the one place that reads sessions, tokens and slugs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts import selectors
from accounts.callers import Caller
from accounts.roles import Role
from audit.actor import Actor
from common.errors import Invalid, NotAllowed, NotFound

if TYPE_CHECKING:
    from accounts.models import ApiToken, User, Workspace


#: What names a workspace at the beginning of a path.
WORKSPACE_PREFIX = re.compile(r"^/w/([a-z0-9][a-z0-9-]{0,63})(?=/|$)")


class SignedInRequest(HttpRequest):
    """For annotations: what a request has once the middleware and a mixin were at it."""

    id: str
    user: User  # type: ignore[assignment]
    workspace_slug: str | None
    caller: Caller


class NotSignedIn(NotAllowed):
    """Nobody is known to stand behind this request."""

    code = "not_signed_in"
    title = "Not signed in"


class WorkspaceRequired(Invalid):
    """A person with several workspaces has to name one (``/w/{slug}/…``)."""

    code = "workspace_required"
    title = "Name a workspace"


class NoWorkspace(NotAllowed):
    """A person who holds no role anywhere."""

    code = "no_workspace"
    title = "No workspace"


def caller_of(request: HttpRequest) -> Caller:
    """Who calls, in which workspace; kept on ``request.caller``.

    Raises:
        NotSignedIn: there is neither a session nor a token.
        WorkspaceRequired: several workspaces, none named.
        NoWorkspace: this person holds no role anywhere.
        NotFound: no such workspace, or none of theirs.
    """
    raw = _plain(request)
    known = getattr(raw, "caller", None)
    if known is None:
        known = _session_caller(raw)
        remember(request, known)
    return cast("Caller", known)


def remember(request: HttpRequest, caller: Caller) -> None:
    """Keep ``caller`` on the request, and on Django's own beneath REST framework's."""
    _plain(request).caller = caller  # type: ignore[attr-defined]
    request.caller = caller  # type: ignore[attr-defined]


def token_caller(request: HttpRequest, token: ApiToken) -> Caller:
    """The caller behind a token that was already checked.

    Raises:
        NotFound: the path names another workspace than the token's.
    """
    workspace = token.workspace
    slug = getattr(_plain(request), "workspace_slug", None)
    if slug is not None and slug != workspace.slug:
        raise NotFound("There is no such workspace.")
    service = token.service_account
    user = service.responsible if service is not None else cast("User", token.user)
    roles = frozenset(service.roles) if service is not None else selectors.roles_of(user, workspace)
    actor = Actor(
        pid=service.pid if service is not None else user.pid,
        kind="token",
        label=service.name if service is not None else str(user),
        workspace=workspace.slug,
        auth={"method": "token", "token_id": token.key_id},
        request=request_facts(request),
    )
    return Caller(
        workspace=workspace,
        actor=actor,
        user=user,
        service_account=service,
        token=token,
        roles=roles,
        scopes=frozenset(token.scopes),
    )


def person_actor(request: HttpRequest, user: User, workspace: str = "") -> Actor:
    """How the trail sees a person in a browser."""
    return Actor(
        pid=user.pid,
        kind="user",
        label=str(user),
        workspace=workspace,
        auth={"method": "session"},
        request=request_facts(request),
    )


def request_facts(request: HttpRequest) -> dict[str, Any]:
    """Id of the request; address and browser as keyed hashes, which mean nothing elsewhere."""
    raw = _plain(request)
    return {
        "id": getattr(raw, "id", ""),
        "ip_hash": _hash(raw.META.get("REMOTE_ADDR", "")),
        "ua_hash": _hash(raw.META.get("HTTP_USER_AGENT", "")),
    }


def workspace_path(slug: str, path: str = "/") -> str:
    """``path`` in that workspace, whichever it named before."""
    return f"/w/{slug}{WORKSPACE_PREFIX.sub('', path) or '/'}"


def role_labels(roles: Iterable[str]) -> list[str]:
    """Roles as people read them, in the order of their declaration."""
    held = set(roles)
    return [role.label for role in Role if role.value in held]


def _session_caller(request: HttpRequest) -> Caller:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        raise NotSignedIn("Sign in first.")
    held = selectors.memberships_by_workspace(user)
    workspace = _chosen(list(held), getattr(request, "workspace_slug", None))
    return Caller(
        workspace=workspace,
        actor=person_actor(request, user, workspace.slug),
        user=user,
        roles=held[workspace],
    )


def _chosen(workspaces: list[Workspace], slug: str | None) -> Workspace:
    if slug is not None:
        for workspace in workspaces:
            if workspace.slug == slug:
                return workspace
        # The same answer for one that exists and one that does not.
        raise NotFound("There is no such workspace.")
    if not workspaces:
        raise NoWorkspace("You hold no role in any workspace yet. Ask an administrator for one.")
    if len(workspaces) > 1:
        raise WorkspaceRequired("You belong to several workspaces: name one as /w/{workspace}/….")
    return workspaces[0]


def _plain(request: HttpRequest) -> HttpRequest:
    """Django's request; REST framework wraps it."""
    return cast("HttpRequest", getattr(request, "_request", request))


def _hash(text: str) -> str:
    if not text:
        return ""
    return salted_hmac("accounts.request_facts", text, algorithm="sha256").hexdigest()[:32]
