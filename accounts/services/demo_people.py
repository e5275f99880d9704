"""The demo's people: the same every time, with fresh passwords, and never in production."""

from __future__ import annotations

import secrets
from typing import TypedDict

from django.conf import settings
from django.db import transaction

from accounts import selectors
from accounts.callers import Caller
from accounts.models import User, Workspace
from accounts.roles import Role
from accounts.services import people, sign_in, workspaces
from common.errors import NotAllowed

SLUG = "demo"
NAME = "Flight operations"

PEOPLE: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("ada", "Ada Moreau", (Role.VALIDATOR,)),
    ("ines", "Ines Duarte", (Role.RISK_OFFICER,)),
    ("lena", "Lena Fischer", (Role.BUSINESS_OWNER,)),
    ("jun", "Jun Watanabe", (Role.MODEL_OWNER, Role.REQUESTER)),
    ("sam", "Sam Okafor", (Role.OPERATOR,)),
    ("omar", "Omar Haddad", (Role.AUDITOR,)),
    ("max", "Max Lindqvist", (Role.ADMINISTRATOR,)),
)


class DemoPerson(TypedDict):
    email: str
    name: str
    password: str
    roles: list[str]


@transaction.atomic
def refresh() -> list[DemoPerson]:
    """Make the workspace ``demo`` and its people, or give those that exist new passwords.

    Raises:
        NotAllowed: ``DEMO_ALLOWED`` is not set; production never sets it.
    """
    if not getattr(settings, "DEMO_ALLOWED", False):
        raise NotAllowed("Demo people are not made under these settings.", code="demo_not_allowed")
    workspace = Workspace.objects.filter(slug=SLUG).first() or workspaces.create(
        slug=SLUG, name=NAME
    )
    caller = Caller.system("demo", workspace)
    return [_refresh(short, name, roles, caller) for short, name, roles in PEOPLE]


def _refresh(short: str, name: str, roles: tuple[Role, ...], caller: Caller) -> DemoPerson:
    email = f"{short}@demo.example"
    password = secrets.token_urlsafe(12)
    user = User.objects.filter(email=email).first()
    if user is None:
        user = people.create_person(email=email, name=name, caller=caller)
    user.set_password(password)
    user.is_active = True
    user.save(update_fields=["password", "is_active"])
    # Ends the sessions of whoever still sat there with the old one.
    sign_in.password_changed(user=user, actor=caller.actor, keep=None)
    for role in set(roles) - selectors.roles_of(user, caller.workspace):
        people.grant_role(user=user, role=role, workspace=caller.workspace, caller=caller)
    return {
        "email": email,
        "name": name,
        "password": password,
        "roles": [role.value for role in roles],
    }
