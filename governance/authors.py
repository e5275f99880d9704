"""Who shaped a request, and therefore may not sign it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models.functions import Lower

from accounts.models import ServiceAccount, User
from audit.actions import Action
from audit.models import Event
from common.canonical import sha256_hex
from registry.models import VersionAuthor

if TYPE_CHECKING:
    from accounts.models import Workspace
    from registry.models import ModelVersion


@dataclass(frozen=True, slots=True)
class Author:
    """One way in which somebody shaped it; ``user`` is None while nobody is known behind it."""

    how: str
    identity: str
    user: User | None

    @property
    def key(self) -> str:
        """What the request digest names: the pid of a known person, else the identity's hash."""
        if self.user is not None:
            return self.user.pid
        return f"unmapped:{sha256_hex(self.identity)}"


def authors_of(*, workspace: Workspace, version: ModelVersion, requested_by: User) -> list[Author]:
    """The requester, who registered the version and answers for that, the version's authors, and
    the last editors of the model's and the version's card."""
    found = [
        Author("requested", requested_by.pid, requested_by),
        Author("registered", version.created_by.pid, version.created_by),
    ]
    found += _of_version(workspace, version)
    found += _of_card(version)
    unique = {(author.how, author.identity): author for author in found}
    return list(unique.values())


def _of_version(workspace: Workspace, version: ModelVersion) -> list[Author]:
    rows = list(VersionAuthor.objects.filter(version=version).select_related("user").order_by("pk"))
    unknown = {row.identity.lower() for row in rows if row.user is None}
    # A person who joined after the version was registered is still its author.
    joined = (
        {
            user.email.lower(): user
            for user in User.objects.filter(memberships__workspace=workspace)
            .annotate(address=Lower("email"))
            .filter(address__in=unknown)
            .distinct()
        }
        if unknown
        else {}
    )
    return [
        Author(row.role, row.identity, row.user or joined.get(row.identity.lower())) for row in rows
    ]


def _of_card(version: ModelVersion) -> list[Author]:
    edits = (
        (
            "edited_model_card",
            "model",
            str(version.model_id),
            [Action.MODEL_CREATED, Action.MODEL_UPDATED],
        ),
        ("edited_version_card", "version", str(version.uid), [Action.VERSION_TAGGED]),
    )
    pids: list[tuple[str, str]] = []
    for how, object_type, object_id, actions in edits:
        pid = (
            Event.objects.filter(object_type=object_type, object_id=object_id, action__in=actions)
            .order_by("-pk")
            .values_list("actor_pid", flat=True)
            .first()
        )
        if pid is not None and not pid.startswith("system:"):
            pids.append((how, pid))
    people = _people_behind(pid for _, pid in pids)
    return [Author(how, pid, people.get(pid)) for how, pid in pids]


def _people_behind(pids: Iterable[str]) -> dict[str, User]:
    wanted = set(pids)
    people = {user.pid: user for user in User.objects.filter(pid__in=wanted)}
    accounts = ServiceAccount.objects.filter(pid__in=wanted).select_related("responsible")
    return people | {account.pid: account.responsible for account in accounts}
