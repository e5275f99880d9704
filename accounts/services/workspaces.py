"""Making a workspace. It starts empty: whoever keeps things per workspace hears of it by signal."""

from __future__ import annotations

import re

from django.db import IntegrityError, transaction

from accounts.models import Membership, User, Workspace
from accounts.roles import Role
from accounts.signals import workspace_created
from audit.actions import Action
from audit.actor import Actor
from audit.services import record as audit
from common.errors import AlreadyExists, Invalid

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@transaction.atomic
def create(
    *, slug: str, name: str, actor: Actor | None = None, administrator: User | None = None
) -> Workspace:
    """Make a workspace, with its first administrator if one is named.

    There is no ``caller``: a caller acts in a workspace, and this one does not exist yet.

    Raises:
        Invalid: the slug or the name.
        AlreadyExists: the slug is taken.
    """
    fields = {}
    if not SLUG.fullmatch(slug):
        fields["slug"] = ["1 to 64 lower-case letters, digits and hyphens, not a hyphen first."]
    if not 0 < len(name.strip()) <= 200:
        fields["name"] = ["Give it a name of 1 to 200 characters."]
    if fields:
        raise Invalid("The workspace cannot be made like this.", fields=fields)
    actor = actor or Actor.system("setup")
    try:
        with transaction.atomic():
            workspace = Workspace.objects.create(slug=slug, name=name.strip())
    except IntegrityError:
        raise AlreadyExists(
            f"There is a workspace “{slug}” already.", fields={"slug": ["Taken."]}
        ) from None
    audit.record(
        Action.WORKSPACE_CREATED,
        actor=actor,
        workspace=slug,
        object_type="workspace",
        object_id=slug,
        object_name=workspace.name,
    )
    if administrator is not None:
        Membership.objects.create(workspace=workspace, user=administrator, role=Role.ADMINISTRATOR)
        audit.record(
            Action.ROLE_GRANTED,
            actor=actor,
            workspace=slug,
            object_type="person",
            object_id=administrator.pid,
            object_name=str(administrator),
            after={"role": Role.ADMINISTRATOR.value},
        )
    workspace_created.send(sender=Workspace, workspace=workspace)
    return workspace
