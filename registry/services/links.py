"""Links to pages elsewhere about a version: kept as text, shown inert, never fetched."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import AlreadyExists, Conflict, Invalid, NotFound
from registry.models import ModelVersion, VersionLink
from registry.names import insist_text

if TYPE_CHECKING:
    from accounts.callers import Caller

MAX_LINKS = 100
MAX_URL = 2000
MAX_LABEL = 200


@transaction.atomic
def add(
    *, caller: Caller, version: ModelVersion, kind: str, url: str, label: str = ""
) -> VersionLink:
    """Note a page about the version. Nothing is ever asked of that page.

    Raises: Invalid, AlreadyExists, Conflict (too many), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    if kind not in VersionLink.Kind.values:
        reason = f"No such kind of link: one of {', '.join(VersionLink.Kind.values)}."
        raise Invalid(reason, fields={"kind": [reason]})
    url = insist_inert_url(url)
    label = insist_text(label, field="label", most=MAX_LABEL).strip()
    # The version's row is the lock under which its links are counted.
    ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
    there = VersionLink.objects.filter(version=version)
    if there.count() >= MAX_LINKS:
        raise Conflict(f"A version has at most {MAX_LINKS} links.", code="too_many_links")
    if there.filter(kind=kind, url=url).exists():
        reason = "This link is there already."
        raise AlreadyExists(reason, code="link_exists", fields={"url": [reason]})
    link = VersionLink.objects.create(
        version=version, kind=kind, url=url, label=label, added_by_pid=caller.actor.pid
    )
    link.refresh_from_db(fields=["created_at"])
    _record(Action.VERSION_LINKED, caller, version, link)
    return link


def add_all(
    *, caller: Caller, version: ModelVersion, links: Sequence[Mapping[str, Any]]
) -> list[VersionLink]:
    """Those that came with the registration; one that is no good refuses the whole.

    Raises: Invalid, naming ``links``.
    """
    try:
        return [
            add(
                caller=caller,
                version=version,
                kind=str(it.get("kind", "")),
                url=str(it.get("url", "")),
                label=str(it.get("label", "")),
            )
            for it in links
        ]
    except (Invalid, Conflict) as error:
        raise Invalid(error.message, code=error.code, fields={"links": [error.message]}) from None


@transaction.atomic
def remove(*, caller: Caller, version: ModelVersion, uid: UUID) -> None:
    """Take a link off; the trail keeps that it was there. Raises: NotFound, NotAllowed."""
    caller.insist(Capability.MODEL_EDIT)
    link = (
        VersionLink.objects.select_for_update(of=("self",)).filter(version=version, uid=uid).first()
    )
    if link is None:
        raise NotFound("There is no such link.", code="link_not_found")
    _record(Action.VERSION_UNLINKED, caller, version, link)
    link.delete()


def insist_inert_url(url: str) -> str:
    """An address that a person may click on: http or https, with a host, without a password.

    Raises: Invalid.
    """
    reason = _why_not_a_link(url)
    if reason is not None:
        raise Invalid(reason, code="invalid_link", fields={"url": [reason]})
    return url


def _why_not_a_link(url: str) -> str | None:
    if len(url) > MAX_URL:
        return f"At most {MAX_URL:,} characters, these are {len(url):,}."
    if any(char.isspace() or unicodedata.category(char).startswith("C") for char in url):
        return "A link holds no blanks and no characters that cannot be seen."
    if "\\" in url:
        # Browsers read a backslash as a slash: the host shown would not be the host opened.
        return "A link holds no backslash."
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "This cannot be read as a link."
    if parts.scheme.lower() not in {"http", "https"} or not host:
        return "A link begins with http:// or https:// and a host."
    if parts.username is not None or parts.password is not None:
        return "A link holds no user name or password: everybody here can read it."
    return None


def _record(action: Action, caller: Caller, version: ModelVersion, link: VersionLink) -> None:
    audit.record(
        action,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="version",
        object_id=str(version.uid),
        object_name=str(version),
        object_digest=version.release_digest,
        details={"link": str(link.uid), "kind": link.kind},
        # A person's words, perhaps with a person's name in them: erasable.
        pii={"url": link.url, "label": link.label},
    )
