"""People and their roles: made and changed by administrators, in sessions, never by tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts.models import Membership, User, Workspace
from accounts.roles import Capability, Role
from accounts.services import sessions, tokens
from audit.actions import Action
from audit.services import record as audit
from common.errors import AlreadyExists, Conflict, Invalid, NotAllowed, NotFound

if TYPE_CHECKING:
    from accounts.callers import Caller


@transaction.atomic
def create_person(
    *,
    email: str,
    name: str = "",
    caller: Caller,
    roles: Iterable[str] = (),
    password: str | None = None,
) -> User:
    """Make a person, with roles in the caller's workspace.

    Without ``password`` they set one by the “forgotten password” mail.

    Raises:
        NotAllowed: the caller is no administrator, or a token.
        Invalid: the address, the name or a role.
        AlreadyExists: the address is taken (``add`` gives that person a role instead).
    """
    _insist_administrator(caller)
    email = email.strip().lower()
    wanted = list(dict.fromkeys(str(role) for role in roles))
    _insist_valid(email, name, wanted)
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name.strip())
    except IntegrityError:
        raise AlreadyExists(
            "There is a person with this e-mail already.", fields={"email": ["Taken."]}
        ) from None
    audit.record(
        Action.PERSON_CREATED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="person",
        object_id=user.pid,
        object_name=str(user),
        pii={"email": email},
    )
    for role in wanted:
        grant_role(user=user, role=role, workspace=caller.workspace, caller=caller)
    return user


@transaction.atomic
def add(*, email: str, name: str, role: str, caller: Caller) -> User:
    """Give a role to the person with this address, who is made when there is none."""
    _insist_administrator(caller)
    known = User.objects.filter(email__iexact=email.strip()).first()
    if known is None:
        return create_person(email=email, name=name, roles=[role], caller=caller)
    grant_role(user=known, role=role, workspace=caller.workspace, caller=caller)
    return known


@transaction.atomic
def grant_role(*, user: User, role: str, workspace: Workspace, caller: Caller) -> Membership:
    """Give a person a role.

    Raises:
        NotAllowed: the caller is no administrator here, a token, or means themself.
        AlreadyExists: they hold it.
    """
    _insist_administrator(caller)
    _insist_here(caller, workspace)
    if role not in Role.values:
        raise Invalid("There is no such role.", fields={"role": ["There is no such role."]})
    if caller.user is not None and caller.user.pk == user.pk:
        raise NotAllowed("Nobody gives a role to themself; ask another administrator.", code="self")
    if not user.is_active:
        raise Conflict("This person is deactivated.")
    membership, is_new = Membership.objects.get_or_create(
        workspace=workspace, user=user, role=role, defaults={"granted_by": caller.user}
    )
    if not is_new:
        raise AlreadyExists(f"{user} is {Role(role).label.lower()} already.")
    audit.record(
        Action.ROLE_GRANTED,
        actor=caller.actor,
        workspace=workspace.slug,
        object_type="person",
        object_id=user.pid,
        object_name=str(user),
        after={"role": str(role)},
    )
    return membership


@transaction.atomic
def revoke_role(*, user: User, role: str, workspace: Workspace, caller: Caller) -> None:
    """Take a role away; with the last one go the person's tokens in this workspace.

    Raises:
        NotAllowed: the caller is no administrator here, or a token.
        NotFound: they do not hold it.
        Conflict: nobody would be left to administer the workspace (``last_administrator``).
    """
    _insist_administrator(caller)
    _insist_here(caller, workspace)
    held = _lock_roles(user, workspace)
    if role not in held:
        raise NotFound(f"{user} does not hold this role here.")
    if role == Role.ADMINISTRATOR:
        _insist_another_administrator(user, workspace)
    Membership.objects.filter(workspace=workspace, user=user, role=role).delete()
    if held == {role}:
        tokens.revoke_all(user=user, workspace=workspace, caller=caller)
    audit.record(
        Action.ROLE_REVOKED,
        actor=caller.actor,
        workspace=workspace.slug,
        object_type="person",
        object_id=user.pid,
        object_name=str(user),
        before={"role": str(role)},
    )


@transaction.atomic
def deactivate(*, user: User, caller: Caller) -> User:
    """Close a person's access at once: no sign-in, no session, no token. Their past stays.

    An administrator may do it for people who belong to their workspace only; others are the
    system's (``manage.py``).

    Raises:
        NotAllowed: no administrator, a token, themself, or a person of other workspaces too.
        NotFound: nobody of this workspace.
        Conflict: the last administrator.
    """
    _insist_administrator(caller)
    if caller.user is not None and caller.user.pk == user.pk:
        raise NotAllowed("Nobody deactivates themself; ask another administrator.", code="self")
    everywhere = list(Workspace.objects.filter(memberships__user=user).distinct().order_by("pk"))
    if not caller.is_system:
        if caller.workspace not in everywhere:
            raise NotFound("There is no such person in this workspace.")
        if everywhere != [caller.workspace]:
            raise NotAllowed("This person belongs to other workspaces too; take their roles here.")
    for workspace in everywhere:
        if Role.ADMINISTRATOR in _lock_roles(user, workspace):
            _insist_another_administrator(user, workspace)
    user = User.objects.select_for_update().get(pk=user.pk)
    if not user.is_active:
        raise Conflict("This person is deactivated already.")
    user.is_active = False
    user.save(update_fields=["is_active"])
    ended = sessions.end_all(user)
    revoked = tokens.revoke_all(user=user, caller=caller)
    for slug in [workspace.slug for workspace in everywhere] or [caller.workspace.slug]:
        audit.record(
            Action.PERSON_DEACTIVATED,
            actor=caller.actor,
            workspace=slug,
            object_type="person",
            object_id=user.pid,
            object_name=str(user),
            details={"sessions_ended": ended, "tokens_revoked": revoked},
        )
    return user


def _insist_administrator(caller: Caller) -> None:
    caller.insist(Capability.WORKSPACE_ADMIN)
    if caller.token is not None:
        # A token that could make a person and give them a signing role could sign in the end.
        raise NotAllowed("Roles are given by a person who signed in.", code="machine_cannot_grant")


def _insist_here(caller: Caller, workspace: Workspace) -> None:
    if caller.workspace != workspace:
        raise NotFound("There is no such workspace.")


def _insist_valid(email: str, name: str, roles: list[str]) -> None:
    fields = {}
    try:
        validate_email(email)
        if len(email) > 254:
            fields["email"] = ["At most 254 characters."]
    except ValidationError:
        fields["email"] = ["This is no e-mail address."]
    if len(name) > 200:
        fields["name"] = ["At most 200 characters."]
    if set(roles) - set(Role.values):
        fields["role"] = ["There is no such role."]
    if fields:
        raise Invalid("The person cannot be made like this.", fields=fields)


def _lock_roles(user: User, workspace: Workspace) -> set[str]:
    """The roles held here, under the workspace's lock: two administrators cannot oust another."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)
    return set(
        Membership.objects.filter(workspace=workspace, user=user).values_list("role", flat=True)
    )


def _insist_another_administrator(user: User, workspace: Workspace) -> None:
    others = Membership.objects.filter(
        workspace=workspace, role=Role.ADMINISTRATOR, user__is_active=True
    ).exclude(user=user)
    if not others.exists():
        raise Conflict(
            f"{user} is the last administrator of {workspace.name}.", code="last_administrator"
        )
