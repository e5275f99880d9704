"""What the sealer puts into the tree, in which order, and when it refuses to go on."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from audit import keys, merkle, note
from audit.errors import NotSealed, TrailBroken
from audit.models import Checkpoint, Event, Leaf, Node, Pending
from audit.services.seal import LOCK, seal_once, wait_sealed
from audit.tiles import MissingHash, Tiles
from tests.audit.conftest import write

pytestmark = pytest.mark.django_db


def body_hashes() -> list[bytes]:
    bodies = Event.objects.order_by("leaf__leaf_index").values_list("body", flat=True)
    return [merkle.leaf_hash(body.encode()) for body in bodies]


def test_nothing_pending_makes_no_checkpoint():
    assert seal_once() == 0
    assert not Checkpoint.objects.exists()


def test_events_are_sealed_once_in_the_order_of_their_ids():
    events = write(5)

    assert seal_once(batch=3) == 3
    assert seal_once(batch=3) == 2
    assert seal_once(batch=3) == 0

    leaves = Leaf.objects.order_by("leaf_index").values_list("leaf_index", "event_id")
    assert list(leaves) == [(index, event.pk) for index, event in enumerate(events)]
    assert list(Checkpoint.objects.values_list("tree_size", flat=True)) == [3, 5]
    assert not Pending.objects.exists()


def test_checkpoint_is_a_note_signed_over_size_and_root():
    write(3)
    seal_once()
    checkpoint = Checkpoint.objects.get()

    statement = note.verify(checkpoint.note, bytes(checkpoint.public_key))

    assert statement.origin == settings.AUDIT_ORIGIN
    assert statement.size == 3
    assert statement.root == bytes(checkpoint.root) == merkle.root(body_hashes())
    assert statement.signed_at is not None
    assert abs(statement.signed_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert bytes(checkpoint.public_key) == keys.configured_public_key()


def test_the_logs_name_stays_when_the_site_moves(settings):
    write()
    seal_once()
    settings.AUDIT_ORIGIN = "https://elsewhere.example/audit/1"
    write()
    seal_once()

    origins = {note.parse(row.note)[0].origin for row in Checkpoint.objects.all()}
    assert len(origins) == 1
    assert "elsewhere" not in origins.pop()


@given_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(st.integers(1, 300), min_size=1, max_size=4))
def test_tree_grown_in_any_batches_is_the_tree_over_all(db, batches):
    with transaction.atomic():
        write_many(sum(batches))
        for batch in batches:
            assert seal_once(batch=batch) == batch
        hashes = body_hashes()
        last = Checkpoint.objects.order_by("-tree_size").first()
        assert last is not None
        assert bytes(last.root) == merkle.root(hashes)
        assert Node.objects.count() == len(hashes) // 256
        tiles = Tiles()
        for index in {0, len(hashes) // 2, len(hashes) - 1}:
            proof = merkle.inclusion_proof(index, len(hashes), tiles.subtree)
            assert merkle.verify_inclusion(
                hashes[index], index, len(hashes), proof, bytes(last.root)
            )
        transaction.set_rollback(True)


def write_many(number: int) -> None:
    """Cheap events: the trigger hashes and queues them like any other."""
    first = Event.objects.count()
    bodies = [f'{{"n":{first + count}}}' for count in range(number)]
    Event.objects.bulk_create(
        Event(
            body=body,
            mac=keys.mac(body),
            at=datetime.now(UTC),
            actor_pid="p",
            action="a",
            object_type="t",
            object_id="1",
        )
        for body in bodies
    )


def test_a_hole_in_the_stored_tree_is_named():
    with pytest.raises(MissingHash):
        Tiles().subtree(8, 0)


def test_while_another_session_holds_the_lock_nothing_is_sealed_here():
    write()
    where = connection.settings_dict
    with psycopg.connect(
        host=where["HOST"],
        port=where["PORT"],
        user=where["USER"],
        password=where["PASSWORD"],
        dbname=where["NAME"],
        autocommit=True,
    ) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        assert seal_once() == 0
        assert Pending.objects.count() == 1
        other.execute("SELECT pg_advisory_unlock(%s)", [LOCK])

    assert seal_once() == 1


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE audit_event SET body = replace(body, '7', '8') WHERE id = %(id)s",
            "not the one that was hashed",
        ),
        (
            "UPDATE audit_event SET body = replace(body, '7', '8'), leaf_hash = sha256("
            "'\\x00'::bytea || convert_to(replace(body, '7', '8'), 'UTF8')) WHERE id = %(id)s",
            "MAC",
        ),
        ("DELETE FROM audit_leaf WHERE leaf_index = 2", "the last checkpoint covers 3"),
        ("UPDATE audit_leaf SET leaf_hash = sha256('x') WHERE leaf_index = 1", "not the root"),
        ("DELETE FROM audit_checkpoint", "no checkpoint"),
        ("DELETE FROM audit_leaf WHERE leaf_index = 1", "hole"),
    ],
)
def test_sealing_stops_when_something_is_not_as_recorded(tamper, statement, words):
    write(3)
    seal_once()
    (event,) = write()
    tamper(statement, params={"id": event.pk})

    with pytest.raises(TrailBroken, match=words):
        seal_once()

    assert Pending.objects.filter(pk=event.pk).exists()
    assert not Leaf.objects.filter(event=event).exists()


def test_wait_sealed_gives_the_first_checkpoint_that_covers_all():
    events = write(2)
    seal_once()
    later = write()
    seal_once()

    assert wait_sealed([events[0].pk, events[1].pk]).tree_size == 2
    assert wait_sealed([events[0].pk, later[0].pk]).tree_size == 3


def test_wait_sealed_refuses_what_nobody_seals():
    (event,) = write()
    started = time.monotonic()

    with pytest.raises(NotSealed, match="sealer running") as caught:
        wait_sealed([event.pk], timeout_s=0.2)

    assert caught.value.code == "not_sealed"
    assert 0.2 <= time.monotonic() - started < 2
    with pytest.raises(ValueError, match="no event"):
        wait_sealed([])


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_a_later_commit_with_a_smaller_id_is_not_missed():
    """P1 of RELIABILITY 1.3: polling ``id > last`` would lose the slow writer's event for ever."""
    slow_has_written, fast_is_sealed = threading.Barrier(2), threading.Barrier(2)
    slow_id = []

    def slow() -> None:
        try:
            with transaction.atomic():
                slow_id.extend(event.pk for event in write(object_name="slow"))
                slow_has_written.wait(10)
                fast_is_sealed.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    slow_has_written.wait(10)
    (fast,) = write(object_name="fast")

    assert seal_once() == 1
    last_sealed = Leaf.objects.get().event_id
    fast_is_sealed.wait(10)
    thread.join(10)

    assert slow_id[0] < fast.pk == last_sealed, "the race did not happen"
    assert not Event.objects.filter(pk__gt=last_sealed).exists(), "id > last would find nothing"
    assert seal_once() == 1
    assert list(Leaf.objects.order_by("leaf_index").values_list("event_id", flat=True)) == [
        fast.pk,
        slow_id[0],
    ]


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_eight_writers_lose_nothing_and_causes_come_before_effects():
    writers, each = 8, 25
    start = threading.Barrier(writers + 1)
    order: list[tuple[int, int]] = []

    def writer(number: int) -> None:
        try:
            start.wait(10)
            cause = 0
            for _ in range(each):
                # Committed before the next begins: each event is the cause of the next.
                (event,) = write(object_id=str(number))
                order.append((cause, event.pk))
                cause = event.pk
        finally:
            connection.close()

    threads = [threading.Thread(target=writer, args=[number]) for number in range(writers)]
    for thread in threads:
        thread.start()
    start.wait(10)
    while any(thread.is_alive() for thread in threads):
        seal_once(batch=7)
    while seal_once():
        pass

    place = dict(Leaf.objects.values_list("event_id", "leaf_index"))
    assert len(place) == writers * each
    assert sorted(place.values()) == list(range(writers * each))
    assert all(place[cause] < place[effect] for cause, effect in order if cause)


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_two_sealers_at_once_seal_each_event_once():
    write(50)
    barrier = threading.Barrier(2)
    sealed = []

    def sealer() -> None:
        try:
            barrier.wait(10)
            for _ in range(20):
                sealed.append(seal_once(batch=5))
        finally:
            connection.close()

    threads = [threading.Thread(target=sealer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    while seal_once():
        pass

    assert Leaf.objects.count() == 50
    assert Checkpoint.objects.order_by("-tree_size").first().tree_size == 50
