"""Writing cards: revisions, lost updates, authors, the trail."""

from __future__ import annotations

import json

import pytest
from django.db import IntegrityError, connection, transaction

from audit.actions import Action
from audit.models import Event
from common.errors import Conflict, Invalid, NotAllowed, NotFound
from registry import cards as text
from registry import selectors_cards
from registry.models import CardRevision, ModelVersion, VersionAuthor
from registry.services import cards
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory
from tests.factories.registry_cards import CardRevisionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(workspace):
    return ModelVersionFactory(model=RegisteredModelFactory(workspace=workspace))


def write(caller, version, seen=0, **sections):
    return cards.revise(caller=caller, version=version, sections=sections, seen=seen)


def test_every_writing_is_a_revision_and_the_newest_is_the_card(version, caller_for):
    ada, ben = caller_for("model_owner"), caller_for("model_owner")

    first = write(ada, version, summary="One.", limits=" Two. ")
    second = write(ben, version, seen=1, summary="One.", limits="Three.", ethics="  ")

    assert first.sections == {"summary": "One.", "limits": "Two."}
    assert (second.number, second.sections) == (2, {"summary": "One.", "limits": "Three."})
    assert selectors_cards.card_of(version) == second
    assert first.digest != second.digest
    assert [it.number for it in selectors_cards.revisions(version)] == [2, 1]


def test_nobody_writes_over_what_they_have_not_seen(version, caller_for, recorded_actions):
    caller = caller_for("model_owner")
    write(caller, version, summary="Mine.")
    before = recorded_actions()

    with pytest.raises(Conflict, match="Revision 1 was written meanwhile, on top of your 0") as it:
        write(caller, version, summary="Theirs.")

    assert (it.value.code, it.value.extra["current"]) == ("card_changed", 1)
    with pytest.raises(Conflict, match="no revision 7"):
        write(caller, ModelVersionFactory(model=version.model), seen=7, summary="x")
    assert CardRevision.objects.get().sections == {"summary": "Mine."}
    assert recorded_actions() == before


def test_an_editor_becomes_an_author_once(version, caller_for):
    caller = caller_for("model_owner")
    write(caller, version, summary="One.")
    write(caller, version, seen=1, summary="Two.")

    author = VersionAuthor.objects.get(version=version, role="card_editor")
    assert (author.user, author.identity) == (caller.user, caller.user.email)


def test_the_same_again_is_no_revision(version, caller_for, recorded_actions):
    caller = caller_for("model_owner")
    write(caller, version, summary="One.")
    write(caller, version, seen=1, summary="One.  ", limits="")

    assert CardRevision.objects.count() == 1
    assert recorded_actions().count(Action.CARD_REVISED) == 1


def test_the_trail_names_the_sections_and_not_what_they_say(version, caller_for):
    caller = caller_for("model_owner")
    write(caller, version, summary="Ask Jane Doe.", limits="x")
    write(caller, version, seen=1, summary="Ask Jane Doe.", limits="xyz")

    event = Event.objects.filter(action=Action.CARD_REVISED).latest("pk")
    body = json.loads(event.body)
    assert body["after"] == {"limits": 3}
    assert body["details"] == {"revision": 2, "editor": caller.user.pid}
    assert "Jane" not in event.body


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"sumary": "x"}, "no section"),
        ({"summary": "x" * (text.MAX_SECTION + 1)}, "At most"),
        ({"summary": "a\x00b"}, "NUL"),
        (dict.fromkeys(list(text.BY_KEY)[:7], "x" * text.MAX_SECTION), "60,000"),
        ({}, "says something"),
        ({"summary": " "}, "says something"),
    ],
)
def test_what_is_no_card_is_refused(version, caller_for, sections, why):
    with pytest.raises(Invalid, match=why):
        cards.revise(caller=caller_for("model_owner"), version=version, sections=sections, seen=0)
    assert not CardRevision.objects.exists()
    assert not VersionAuthor.objects.exists()


def test_a_card_can_be_emptied_of_a_section_but_a_deleted_version_not_written(version, caller_for):
    caller = caller_for("model_owner")
    write(caller, version, summary="One.", limits="x")
    assert write(caller, version, seen=1, summary="One.").sections == {"summary": "One."}

    ModelVersion.objects.filter(pk=version.pk).update(deleted_at="2026-01-01T00:00:00Z")
    with pytest.raises(NotFound):
        write(caller, version, seen=2, summary="Two.")


def test_who_may_not_edit_writes_nothing(version, caller_for):
    with pytest.raises(NotAllowed):
        write(caller_for("validator"), version, summary="x")
    assert not CardRevision.objects.exists()


def test_a_card_starts_from_the_last_version_that_has_one(version, caller_for):
    second, third = (ModelVersionFactory(model=version.model) for _ in range(2))
    CardRevisionFactory(version=version, sections={"summary": "old"})
    CardRevisionFactory(version=version, number=2, sections={"summary": "new"})
    ModelVersionFactory(model=version.model)
    caller = caller_for("model_owner")

    made = cards.start_from_previous(caller=caller, version=third)

    assert made.sections == {"summary": "new"}
    assert made.edited_by == caller.user
    with pytest.raises(Conflict):
        cards.start_from_previous(caller=caller, version=third)
    with pytest.raises(NotFound):
        cards.start_from_previous(caller=caller, version=version)
    assert cards.start_from_previous(caller=caller, version=second).number == 1


def test_a_revision_never_changes_in_the_database(version):
    revision = CardRevisionFactory(version=version)

    with pytest.raises(IntegrityError, match="does not change"), transaction.atomic():
        CardRevision.objects.filter(pk=revision.pk).update(sections={})
    with (
        pytest.raises(IntegrityError, match="never deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM registry_cardrevision")
    with pytest.raises(IntegrityError, match="card_number_once"), transaction.atomic():
        CardRevisionFactory(version=version)
