"""One query at the door: a token, whoever holds it, the workspace and the roles, from one row.

For the APIs that are asked by machines many times a second. The rules are those of
``tokens.authenticate`` and ``http.token_caller``, which the tests hold against each other: unknown,
wrong, expired and revoked look the same; a holder who was deactivated, or whose responsible person
was, does not get in; a path may only name the token's own workspace.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from accounts.callers import Caller
from accounts.http import request_facts
from accounts.models import ApiToken, ServiceAccount, User, Workspace
from accounts.roles import Capability, allowed
from accounts.services import tokens
from audit.actor import Actor
from common.db import fetch_one
from common.errors import NotFound

if TYPE_CHECKING:
    from django.http import HttpRequest

_QUERY = """
SELECT t.id, t.secret_sha256, t.scopes, t.name, t.last_used_at,
       w.id, w.slug, w.name,
       u.id, u.pid, u.email, u.name, u.is_active,
       s.id, s.pid, s.name, s.roles, s.is_active,
       ARRAY(SELECT r.role FROM accounts_membership r
             WHERE r.user_id = t.user_id AND r.workspace_id = t.workspace_id)
FROM accounts_apitoken t
JOIN accounts_workspace w ON w.id = t.workspace_id
LEFT JOIN accounts_serviceaccount s ON s.id = t.service_account_id
JOIN accounts_user u ON u.id = COALESCE(t.user_id, s.responsible_id)
WHERE t.key_id = %s AND t.revoked_at IS NULL AND t.expires_at > %s
"""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who was let in by a token; ``caller()`` is built when a service asks for it."""

    key_id: str
    row: tuple[Any, ...]
    workspace_id: int
    workspace_slug: str
    roles: frozenset[str]
    scopes: frozenset[str]

    def may(self, capability: Capability) -> bool:
        return allowed(capability, self.roles, self.scopes)

    def caller(self, request: HttpRequest) -> Caller:
        """The same caller that ``http.token_caller`` makes."""
        token_id, _, scopes, token_name, _, wid, slug, wname, uid, pid, email = self.row[:11]
        uname, is_active, sid, spid, sname, sroles, s_active = self.row[11:18]
        # from_db() takes values in the order of the model's own columns; the tests hold it to that.
        workspace = Workspace.from_db("default", ["id", "slug", "name"], [wid, slug, wname])
        user = User.from_db(
            "default",
            ["id", "pid", "email", "name", "is_active"],
            [uid, pid, email, uname, is_active],
        )
        service = None
        if sid is not None:
            service = ServiceAccount.from_db(
                "default",
                ["id", "workspace_id", "pid", "name", "responsible_id", "roles", "is_active"],
                [sid, wid, spid, sname, uid, sroles, s_active],
            )
            service.responsible, service.workspace = user, workspace
        token = ApiToken.from_db(
            "default",
            ["id", "workspace_id", "user_id", "service_account_id", "key_id", "name", "scopes"],
            [token_id, wid, None if service else uid, sid, self.key_id, token_name, scopes],
        )
        token.workspace = workspace
        actor = Actor(
            pid=spid if service is not None else pid,
            kind="token",
            label=sname if service is not None else str(user),
            workspace=slug,
            auth={"method": "token", "token_id": self.key_id},
            request=request_facts(request),
        )
        return Caller(
            workspace=workspace,
            actor=actor,
            user=user,
            service_account=service,
            token=token,
            roles=self.roles,
            scopes=self.scopes,
        )


def let_in(raw: str, *, slug: str | None = None) -> Bearer | None:
    """Whoever holds the live token with this text; None for anything else. One query.

    Raises:
        NotFound: the path names another workspace (``slug``) than the token's.
    """
    parts = tokens.parse(raw)
    if parts is None:
        return None
    key_id, secret = parts
    now = timezone.now()
    row = fetch_one(_QUERY, [key_id, now])
    if row is None or not hmac.compare_digest(bytes(row[1]), tokens.digest(secret)):
        return None
    is_active, service_id, service_roles, service_is_active = row[12], row[13], row[16], row[17]
    if not is_active or (service_id is not None and not service_is_active):
        return None
    tokens.touch(row[0], last_used_at=row[4], now=now)
    if slug is not None and slug != row[6]:
        raise NotFound("There is no such workspace.")
    return Bearer(
        key_id=key_id,
        row=row,
        workspace_id=row[5],
        workspace_slug=row[6],
        roles=frozenset(service_roles if service_id is not None else row[18]),
        scopes=frozenset(row[2]),
    )
