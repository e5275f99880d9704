"""The tampering suite: what an intruder who owns the database does, and by what it is found."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command

from audit import keys, merkle, note
from audit.actions import Action
from audit.models import Checkpoint, Event, Leaf
from audit.services.seal import seal_once
from audit.services.verify import verify_database
from tests.audit.conftest import write
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db

STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


@pytest.fixture
def trail(db: None) -> list[Event]:
    """Seven sealed events under two checkpoints, and one that waits."""
    events = write(4)
    seal_once()
    events += write(3)
    seal_once()
    return events + write()


def rebuild(tamper: Any, key: Ed25519PrivateKey, size: int | None = None) -> None:
    """Leaves, roots and notes made anew over the bodies as they are now, signed with ``key``."""
    bodies = list(Event.objects.filter(leaf__isnull=False).order_by("leaf__leaf_index"))
    signed = list(Checkpoint.objects.order_by("tree_size"))
    origin = note.parse(signed[0].note)[0].origin
    hashes = [merkle.leaf_hash(event.body.encode()) for event in bodies]
    for index, (event, value) in enumerate(zip(bodies, hashes, strict=True)):
        tamper("UPDATE audit_event SET leaf_hash = %s WHERE id = %s", params=[value, event.pk])
        tamper("UPDATE audit_leaf SET leaf_hash = %s WHERE leaf_index = %s", params=[value, index])
    for row in signed:
        root = merkle.root(hashes[: row.tree_size])
        text = note.sign(note.Statement(origin, row.tree_size, root, datetime.now(UTC)), key)
        tamper(
            "UPDATE audit_checkpoint SET root = %s, note = %s, public_key = %s"
            " WHERE tree_size = %s",
            params=[root, text, key.public_key().public_bytes_raw(), row.tree_size],
        )


def forge(tamper: Any, event: Event, *, with_mac: bool) -> None:
    """Another story in the body and its column, with the MAC too when its key is stolen."""
    body = event.body.replace("credit-risk", "fraud")
    mac = keys.mac(body) if with_mac else bytes(event.mac)
    tamper(
        "UPDATE audit_event SET body = %s, object_name = 'fraud', mac = %s WHERE id = %s",
        params=[body, mac, event.pk],
    )


def test_an_untouched_trail_is_valid_and_says_that_no_key_was_given(trail):
    report = verify_database()

    assert report.problems == []
    assert (report.events, report.pending, report.checkpoints) == (8, 1, 2)
    assert (
        "VALID: all 8 events are as they were recorded, 1 of them not sealed yet" in report.sentence
    )
    assert "no outside key fingerprint was given" in report.sentence


def test_a_key_from_outside_is_said_to_have_signed(trail):
    fingerprint = keys.fingerprint(keys.configured_public_key() or b"")

    report = verify_database(key=fingerprint.removeprefix("sha256:").upper())

    assert report.ok
    assert "signed by the key you named" in report.sentence


def test_a_key_that_did_not_sign_is_told(trail):
    report = verify_database(key=keys.fingerprint(STRANGER.public_key().public_bytes_raw()))

    assert "no checkpoint is signed by the key you named" in report.problems[0]


def test_an_empty_trail_is_valid(db):
    assert verify_database().sentence.startswith("VALID: all 0 events")


@pytest.mark.parametrize("which", [1, 7], ids=["sealed", "waiting"])
def test_an_edited_body_is_found(trail, tamper, which):
    forge(tamper, trail[which], with_mac=False)

    problems = verify_database().problems

    assert f"event {trail[which].pk}: the body is not the one that was hashed" in problems
    assert f"event {trail[which].pk}: the body does not carry the application's MAC" in problems


def test_a_waiting_event_edited_with_its_hash_is_found_by_its_mac(trail, tamper):
    forge(tamper, trail[7], with_mac=False)
    tamper(
        "UPDATE audit_event SET leaf_hash = sha256('\\x00'::bytea || convert_to(body, 'UTF8'))"
        " WHERE id = %s",
        params=[trail[7].pk],
    )

    assert verify_database().problems == [
        f"event {trail[7].pk}: the body does not carry the application's MAC"
    ]


def test_leaves_and_roots_recomputed_without_the_key_are_found_by_the_signature(trail, tamper):
    forge(tamper, trail[1], with_mac=True)
    rebuild(tamper, STRANGER)

    problems = verify_database().problems

    assert (
        "the signed checkpoint of 4 events carries no valid signature of a key we trust" in problems
    )


def test_roots_recomputed_under_the_old_notes_are_found(trail, tamper):
    forge(tamper, trail[1], with_mac=True)
    notes = {row.tree_size: (row.note, bytes(row.public_key)) for row in Checkpoint.objects.all()}
    rebuild(tamper, STRANGER)
    for size, (text, public) in notes.items():
        tamper(
            "UPDATE audit_checkpoint SET note = %s, public_key = %s WHERE tree_size = %s",
            params=[text, public, size],
        )

    problems = verify_database().problems

    assert "the signed checkpoint of 4 events says something else than its row" in problems
    assert (
        "the first 4 events do not have the root of the signed checkpoint of 4 events" in problems
    )


def test_history_rewritten_with_both_stolen_keys_is_found_only_by_a_checkpoint_from_outside(
    trail, tamper
):
    kept = Checkpoint.objects.get(tree_size=4).note
    forge(tamper, trail[1], with_mac=True)
    rebuild(tamper, keys.signing_key())

    assert verify_database().ok, "inside nothing can tell: the control of this experiment"
    report = verify_database(checkpoint=kept)

    assert report.problems == ["the first 4 events do not have the root of your checkpoint"]


def test_a_leaf_that_is_not_its_events_hash_is_found(trail, tamper):
    tamper("UPDATE audit_leaf SET leaf_hash = sha256('x') WHERE leaf_index = 2")

    assert verify_database().problems == [f"event {trail[2].pk} is not what was sealed as number 2"]


def test_a_deleted_row_is_found(trail, tamper):
    tamper(
        "DELETE FROM audit_pii WHERE event_id = %(id)s",
        "DELETE FROM audit_leaf WHERE event_id = %(id)s",
        "DELETE FROM audit_event WHERE id = %(id)s",
        params={"id": trail[2].pk},
    )

    assert "sealed event 2 is missing: 3 stands in its place" in verify_database().problems


def test_a_waiting_row_deleted_from_the_queue_is_found(trail, tamper):
    tamper("DELETE FROM audit_pending")

    assert verify_database().problems == [
        f"event {trail[7].pk} is neither sealed nor waiting to be"
    ]


def test_swapped_rows_are_found(trail, tamper):
    a, b = trail[1], trail[2]
    tamper(
        "DELETE FROM audit_leaf WHERE event_id IN (%(a)s, %(b)s)",
        "INSERT INTO audit_leaf (leaf_index, event_id, leaf_hash)"
        " SELECT 3 - array_position(ARRAY[%(a)s, %(b)s]::bigint[], id), id, leaf_hash"
        " FROM audit_event WHERE id IN (%(a)s, %(b)s)",
        params={"a": a.pk, "b": b.pk},
    )
    assert list(Leaf.objects.order_by("leaf_index").values_list("event_id", flat=True)[1:3]) == [
        b.pk,
        a.pk,
    ]

    problems = verify_database().problems

    assert (
        "the first 4 events do not have the root of the signed checkpoint of 4 events" in problems
    )


def test_a_deleted_tail_with_its_checkpoint_is_found_only_by_a_checkpoint_from_outside(
    trail, tamper
):
    kept = Checkpoint.objects.get(tree_size=7).note
    tail = [event.pk for event in trail[4:]]
    tamper(
        "DELETE FROM audit_pending",
        "DELETE FROM audit_leaf WHERE event_id = ANY(%(ids)s)",
        "DELETE FROM audit_pii WHERE event_id = ANY(%(ids)s)",
        "DELETE FROM audit_event WHERE id = ANY(%(ids)s)",
        "DELETE FROM audit_checkpoint WHERE tree_size > 4",
        params={"ids": tail},
    )

    assert verify_database().ok, "inside nothing can tell: the control of this experiment"
    report = verify_database(checkpoint=kept)

    assert report.problems == ["your checkpoint covers 7 events, the trail has 4"]


def test_a_deleted_last_checkpoint_leaves_events_without_signature(trail, tamper):
    tamper("DELETE FROM audit_checkpoint WHERE tree_size = 7")

    assert verify_database().problems == [
        "the last sealed events, up to number 6, carry no signature"
    ]


def test_a_checkpoint_from_outside_must_be_this_logs(trail):
    foreign = note.sign(
        note.Statement("https://x.example/audit/1", 2, bytes(32)), keys.signing_key()
    )
    forged = note.sign(note.parse(Checkpoint.objects.get(tree_size=4).note)[0], STRANGER)

    assert "another log" in verify_database(checkpoint=foreign).problems[0]
    assert "not signed by this log's key" in verify_database(checkpoint=forged).problems[0]
    assert "not signed" in verify_database(checkpoint="hello").problems[0]
    assert verify_database(checkpoint=Checkpoint.objects.get(tree_size=4).note).ok


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor_pid", "p:bob"),
        ("action", "x"),
        ("object_id", "8"),
        ("workspace", "other"),
        ("at", "2001-01-01T00:00:00Z"),
        ("uid", "00000000-0000-7000-8000-000000000000"),
    ],
)
def test_a_column_that_contradicts_the_body_is_found(trail, tamper, column, value):
    tamper(f"UPDATE audit_event SET {column} = %s WHERE id = %s", params=[value, trail[0].pk])

    assert verify_database().problems == [
        f"event {trail[0].pk}: the column {column} says something else than the body"
    ]


def test_a_changed_node_is_found(tamper):
    write(260)
    seal_once()
    assert verify_database().ok
    tamper("UPDATE audit_node SET hash = sha256('x') WHERE level = 8")
    assert verify_database().problems == ["the stored node 8/0 is not the tree's"]
    tamper("DELETE FROM audit_node")
    assert verify_database().problems == ["the stored node 8/0 is missing"]


def test_a_changed_name_beside_the_body_is_found(trail, tamper):
    tamper(
        "UPDATE audit_pii SET value = 'Bob' WHERE field = 'actor_label' AND event_id = %s",
        params=[trail[0].pk],
    )

    assert verify_database().problems == [
        f"event {trail[0].pk}: the actor_label beside it is not what was recorded"
    ]


def test_an_erased_name_leaves_the_tree_intact_and_is_counted(trail):
    trail[0].pii.all().delete()

    report = verify_database()

    assert report.ok
    assert report.erased == 2
    assert "2 personal values are erased; the tree is intact without them." in report.notes


def test_a_thousand_problems_are_not_a_thousand_lines(trail, tamper):
    write(60)
    tamper("UPDATE audit_event SET action = 'x'")

    problems = verify_database().problems
    assert len(problems) == 21
    assert "only the first 20" in problems[-1]


def test_a_host_without_the_signing_key_verifies_with_the_stored_public_one(trail, settings):
    settings.AUDIT_SIGNING_KEY = ""

    report = verify_database()

    assert report.ok
    assert len(report.keys) == 1


# The command


def test_command_prints_one_sentence_and_records_that_it_ran(trail):
    out = StringIO()

    call_command("audit_verify", stdout=out)

    assert out.getvalue().splitlines()[-1].startswith("VALID: all 8 events")
    assert recorded_actions()[-1] == Action.AUDIT_VERIFIED
    details = json.loads(Event.objects.last().body)["details"]
    assert details == {"ok": True, "events": 8, "checkpoints": 2, "problems": []}


def test_command_ends_with_1_and_records_what_it_found(trail, tamper):
    forge(tamper, trail[0], with_mac=False)
    out = StringIO()

    with pytest.raises(SystemExit) as caught:
        call_command("audit_verify", stdout=out)

    assert caught.value.code == 1
    assert out.getvalue().splitlines()[-1].startswith("NOT VALID: event")
    assert json.loads(Event.objects.last().body)["details"]["ok"] is False


def test_command_takes_a_kept_checkpoint(trail, tamper, tmp_path: Path):
    kept = tmp_path / "kept.txt"
    kept.write_text(Checkpoint.objects.get(tree_size=7).note)
    call_command("audit_verify", checkpoint=kept, stdout=StringIO())
    with pytest.raises(CommandError, match="cannot read"):
        call_command("audit_verify", checkpoint=tmp_path / "none", stdout=StringIO())


# Notes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        "a\n01\n{root}\n\n— a {sig}\n",
        "a\n-1\n{root}\n\n— a {sig}\n",
        "a\n1\nAA==\n\n— a {sig}\n",
        "a\n1\n{root}\n\n- a {sig}\n",
        "a\n1\n{root}\n\n— a AA==\n",
        "a\n1\n{root}\nmore\n\n— a {sig}\n",
    ],
)
def test_what_is_no_checkpoint_is_a_bad_note(text):
    root = base64.b64encode(bytes(32)).decode()
    sig = base64.b64encode(bytes(68)).decode()
    with pytest.raises(note.BadNote):
        note.parse(text.format(root=root, sig=sig))


def test_a_note_does_not_survive_any_change_of_its_text():
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    text = note.sign(note.Statement("log.example/1", 5, bytes(32), datetime.now(UTC)), key)
    assert note.verify(text, public).size == 5
    for changed in (
        text.replace("\n5\n", "\n6\n"),
        text.replace("log.", "gol."),
        text.replace("AAAA", "AAAB", 1),
    ):
        with pytest.raises(note.BadNote):
            note.verify(changed, public)
    with pytest.raises(note.BadNote, match="did not sign"):
        note.verify(text, STRANGER.public_key().public_bytes_raw())
    for name in ("", "two words", "a+b"):
        with pytest.raises(note.BadNote, match="cannot name"):
            note.sign(note.Statement(name, 1, bytes(32)), key)
