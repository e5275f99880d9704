"""Machines' identities: a named person answers for each, and none can hold a signing role."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from accounts import selectors
from accounts.models import ServiceAccount, User
from accounts.models.api_token import SIGNING_ROLES
from accounts.roles import Capability, Role
from audit.actions import Action
from audit.services import record as audit
from common.errors import AlreadyExists, Invalid, NotAllowed

if TYPE_CHECKING:
    from accounts.callers import Caller


@transaction.atomic
def create(*, caller: Caller, name: str, responsible: User, roles: Iterable[str]) -> ServiceAccount:
    """Make a service account in the caller's workspace.

    Args:
        responsible: a person of this workspace; an author of whatever the account does.
        roles: at least one, none that signs.

    Raises:
        NotAllowed: no administrator, or a token.
        Invalid: name, person or roles.
        AlreadyExists: the name is taken here.
    """
    caller.insist(Capability.WORKSPACE_ADMIN)
    if caller.token is not None:
        raise NotAllowed(
            "A service account is made by a person who signed in.", code="machine_cannot_grant"
        )
    held = sorted({str(role) for role in roles})
    _insist_valid(caller, name, responsible, held)
    try:
        with transaction.atomic():
            account = ServiceAccount.objects.create(
                workspace=caller.workspace, name=name.strip(), responsible=responsible, roles=held
            )
    except IntegrityError:
        raise AlreadyExists(
            "There is a service account of this name already.", fields={"name": ["Taken."]}
        ) from None
    audit.record(
        Action.SERVICE_ACCOUNT_CREATED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="service_account",
        object_id=account.pid,
        object_name=account.name,
        after={"roles": held, "responsible": responsible.pid},
    )
    return account


def _insist_valid(caller: Caller, name: str, responsible: User, roles: list[str]) -> None:
    fields = {}
    if not 0 < len(name.strip()) <= 100:
        fields["name"] = ["Give it a name of 1 to 100 characters."]
    if not responsible.is_active or not selectors.roles_of(responsible, caller.workspace):
        fields["responsible"] = ["Choose an active person of this workspace."]
    if not roles or set(roles) - set(Role.values):
        fields["roles"] = ["Choose at least one of the known roles."]
    elif signing := sorted(set(roles) & set(SIGNING_ROLES)):
        fields["roles"] = [f"A service account never signs, so it cannot be {', '.join(signing)}."]
    if fields:
        raise Invalid("The service account cannot be made like this.", fields=fields)
