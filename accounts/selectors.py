"""Reads of people, roles and workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from accounts.models import ApiToken, Membership, ServiceAccount, Session, User, Workspace
from accounts.models.api_token import SIGNING_ROLES
from accounts.roles import Capability

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.callers import Caller


def roles_of(user: User, workspace: Workspace) -> frozenset[str]:
    """Role values of this person here; empty when there are none or the person is deactivated."""
    if not user.is_active:
        return frozenset()
    return frozenset(
        Membership.objects.filter(user=user, workspace=workspace).values_list("role", flat=True)
    )


def memberships_by_workspace(user: User) -> dict[Workspace, frozenset[str]]:
    """Every workspace of this person, by slug, with the roles held there. One query."""
    held: dict[Workspace, set[str]] = {}
    rows = Membership.objects.filter(user=user).select_related("workspace")
    for row in rows.order_by("workspace__slug"):
        held.setdefault(row.workspace, set()).add(row.role)
    return {workspace: frozenset(roles) for workspace, roles in held.items()}


def people(workspace: Workspace) -> QuerySet[User]:
    """Everybody who holds a role here, by e-mail."""
    here = Membership.objects.filter(workspace=workspace).values("user_id")
    return User.objects.filter(pk__in=here).order_by("email")


def active_people(workspace: Workspace) -> QuerySet[User]:
    """Those of ``people`` who can sign in."""
    return people(workspace).filter(is_active=True)


def roles_by_person(workspace: Workspace, person_ids: list[int]) -> dict[int, set[str]]:
    """Role values here by the person's id. One query."""
    held: dict[int, set[str]] = {}
    rows = Membership.objects.filter(workspace=workspace, user__in=person_ids)
    for user_id, role in rows.values_list("user_id", "role"):
        held.setdefault(user_id, set()).add(role)
    return held


def count_signers(workspace: Workspace) -> int:
    """How many active people here hold a role that signs."""
    return (
        User.objects.filter(
            is_active=True,
            memberships__workspace=workspace,
            memberships__role__in=SIGNING_ROLES,
        )
        .distinct()
        .count()
    )


def people_with_role(workspace: Workspace, role: str) -> QuerySet[User]:
    """Active people who hold ``role`` here."""
    return (
        User.objects.filter(
            is_active=True, memberships__workspace=workspace, memberships__role=role
        )
        .distinct()
        .order_by("email")
    )


def tokens_of(user: User, workspace: Workspace) -> QuerySet[ApiToken]:
    """A person's own tokens here, newest first, the spent ones too."""
    return ApiToken.objects.filter(user=user, workspace=workspace)


def tokens_seen_by(caller: Caller) -> QuerySet[ApiToken]:
    """An administrator sees the workspace's, a person their own, a service account its own."""
    here = ApiToken.objects.filter(workspace=caller.workspace).select_related(
        "user", "service_account"
    )
    if caller.may(Capability.WORKSPACE_ADMIN):
        return here
    if caller.service_account is not None:
        return here.filter(service_account=caller.service_account)
    return here.filter(user=caller.user)


def service_accounts(workspace: Workspace) -> QuerySet[ServiceAccount]:
    return ServiceAccount.objects.filter(workspace=workspace).select_related("responsible")


def sessions_of(user: User) -> QuerySet[Session]:
    """A person's live sessions, newest first."""
    return Session.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-created_at")
