"""Who is calling, in which workspace, with which powers: what every service takes as ``caller``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from accounts.models import ApiToken, ServiceAccount, User, Workspace
from accounts.roles import RULES, Capability, Role, allowed
from audit.actor import Actor
from common.errors import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@dataclass(frozen=True, slots=True)
class Caller:
    """A person in a session, a token's bearer, or one of our own processes.

    Attributes:
        workspace: where it acts; every query is limited to it.
        actor: how the audit trail sees it.
        user: the person; for a service account, the person who answers for it; None for the system.
        service_account: set when a service account's token is used.
        token: set when any token is used; such a caller can never sign.
        roles: role values held in ``workspace``.
        scopes: the token's scopes, or None in a session (no limit beyond the roles).
    """

    workspace: Workspace
    actor: Actor
    user: User | None = None
    service_account: ServiceAccount | None = None
    token: ApiToken | None = None
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    is_system: bool = field(default=False)

    @classmethod
    def system(
        cls, name: str, workspace: Workspace, *, job: Mapping[str, Any] | None = None
    ) -> Caller:
        """One of our own processes; it may do everything but sign."""
        return cls(
            workspace=workspace,
            actor=Actor.system(name, workspace=workspace.slug, job=job),
            is_system=True,
        )

    @property
    def label(self) -> str:
        """The name to show for it."""
        if self.service_account is not None:
            return self.service_account.name
        return str(self.user) if self.user is not None else self.actor.label

    @property
    def is_machine(self) -> bool:
        """Whether no person sits at the other end: any token, or ourselves."""
        return self.token is not None or self.is_system

    def may(self, capability: Capability) -> bool:
        return self.is_system or allowed(capability, self.roles, self.scopes)

    def insist(self, capability: Capability) -> None:
        """Raise ``NotAllowed`` with a sentence that says which role or scope is missing."""
        if self.may(capability):
            return
        rule = RULES[capability]
        if not rule.roles & self.roles:
            names = ", ".join(sorted(Role(role).label.lower() for role in rule.roles))
            raise NotAllowed(
                f"This needs one of these roles in {self.workspace.name}: {names}.",
                code="role_missing",
            )
        raise NotAllowed(f"This token lacks the scope “{rule.scope}”.", code="scope_missing")

    def with_job(self, job_id: str, fence: int) -> Caller:
        """The same caller, acting through a job under this fence."""
        return replace(self, actor=replace(self.actor, job={"id": job_id, "fence": fence}))
