"""Model cards: write a revision, or start from the previous version's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.canonical import digest_of
from common.commit import after_commit
from common.errors import Conflict, Invalid, NotAllowed, NotFound
from registry import cards, selectors_cards
from registry.models import CardRevision, ModelVersion, VersionAuthor
from registry.names import insist_text
from registry.signals import card_revised

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import User

ROLE = "card_editor"


@transaction.atomic
def revise(
    *, caller: Caller, version: ModelVersion, sections: Mapping[str, str], seen: int
) -> CardRevision:
    """Give the version's card its next revision: these sections, and no other.

    ``seen`` is the revision that was on the editor's screen, 0 for none; when another one is there
    now, nothing is written over it. Whoever edits a card shaped the version: they become its
    author, and cannot sign for it any more. Writing what is there already makes no revision.

    Raises: Invalid, Conflict (the card changed meanwhile), NotFound (deleted), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    if caller.user is None:
        raise NotAllowed("A card is written by a person, or for one who answers for it.")
    version = _lock(version)
    written = _insist_sections(sections)
    card = selectors_cards.card_of(version)
    present = card.number if card is not None else 0
    if present != seen:
        raise Conflict(
            f"Revision {present} was written meanwhile, on top of your {seen}."
            if present
            else f"There is no revision {seen} of this card.",
            code="card_changed",
            current=present,
        )
    before = card.sections if card is not None else {}
    if before == written:
        if card is None:
            raise Invalid("A card says something.", fields={"sections": ["Nothing is written."]})
        return card
    revision = CardRevision.objects.create(
        version=version,
        number=present + 1,
        sections=written,
        digest=digest_of(written),
        edited_by=caller.user,
    )
    _become_author(version, caller.user)
    audit.record(
        Action.CARD_REVISED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="version",
        object_id=str(version.uid),
        object_name=str(version),
        object_digest=revision.digest,
        # Free text goes into the trail by its length only: it may name people.
        before={key: len(before.get(key, "")) for key in _changed(before, written)},
        after={key: len(written.get(key, "")) for key in _changed(before, written)},
        details={"revision": revision.number, "editor": caller.user.pid},
    )
    after_commit(card_revised.send, CardRevision, version=version, revision=revision)
    return revision


@transaction.atomic
def start_from_previous(*, caller: Caller, version: ModelVersion) -> CardRevision:
    """Begin the card with what the last earlier version's says.

    Raises: Conflict (there is a card already), NotFound (no earlier one), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    previous = selectors_cards.previous_card(version)
    if previous is None:
        raise NotFound(f"No earlier version of {version.model.name} has a card.")
    return revise(caller=caller, version=version, sections=previous.sections, seen=0)


def _lock(version: ModelVersion) -> ModelVersion:
    # Without the model's row: two editors of one card wait for each other, nobody else does.
    found = (
        ModelVersion.objects.select_for_update(of=("self",))
        .select_related("model__workspace", "model__owner")
        .get(pk=version.pk)
    )
    if found.deleted_at is not None:
        raise NotFound(f"{found} is deleted.", code="version_not_found")
    return found


def _insist_sections(given: Mapping[str, str]) -> dict[str, str]:
    written: dict[str, str] = {}
    for key, text in given.items():
        if key not in cards.BY_KEY:
            reason = f"There is no section “{str(key)[:50]}”."
            raise Invalid(reason, fields={"sections": [reason]})
        text = insist_text(text, field=key, most=cards.MAX_SECTION)
        if text.strip():
            written[key] = text.strip().replace("\r\n", "\n")
    if sum(map(len, written.values())) > cards.MAX_CARD:
        reason = f"A card has at most {cards.MAX_CARD:,} characters in all."
        raise Invalid(reason, fields={"sections": [reason]})
    return written


def _become_author(version: ModelVersion, user: User) -> None:
    VersionAuthor.objects.bulk_create(
        [VersionAuthor(version=version, role=ROLE, identity=user.email, user=user)],
        ignore_conflicts=True,
    )


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    keys = set(before) | set(after)
    return sorted(key for key in keys if before.get(key, "") != after.get(key, ""))
