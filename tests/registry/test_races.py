"""Many at once: version numbers without gaps, alias history without overlaps."""

import threading
from itertools import pairwise

import pytest
from django.db import IntegrityError, connection, transaction

from audit.models import Event
from registry.models import Alias, ModelVersion, RegisteredModel
from registry.release import ReleaseInput
from registry.services import aliases, models, versions
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]
CREATORS = 32


def at_once(count, act):
    """Run ``act(number)`` in that many threads, let go together; returns what they raised."""
    start = threading.Barrier(count)
    raised = []

    def run(number):
        try:
            start.wait(30)
            act(number)
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


@pytest.fixture
def model(workspace):
    return RegisteredModelFactory(workspace=workspace)


def release(number):
    return ReleaseInput(source=f"run {number}")


def test_thirty_two_creators_leave_no_gap(caller_for, model):
    caller = caller_for("model_owner")

    raised = at_once(
        CREATORS,
        lambda number: versions.register(caller=caller, model=model, release=release(number)),
    )

    assert raised == []
    numbers = ModelVersion.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, CREATORS + 1))
    assert Event.objects.count() == CREATORS


def test_without_the_lock_they_would_collide(caller_for, model, monkeypatch):
    """The race is real: when all have read before anybody writes, one of them is left."""
    caller = caller_for("model_owner")
    all_have_read = threading.Barrier(4)

    def read_unlocked(workspace, model):
        found = RegisteredModel.objects.select_related("workspace").get(pk=model.pk)
        all_have_read.wait(30)
        return found, found.next_version

    monkeypatch.setattr(versions, "take_number", read_unlocked)
    raised = at_once(
        4, lambda number: versions.register(caller=caller, model=model, release=release(number))
    )

    assert len(raised) == 3
    assert all(isinstance(error, IntegrityError) for error in raised)


def test_a_refused_creator_takes_no_number(caller_for, model):
    caller = caller_for("model_owner")

    raised = at_once(
        8,
        lambda number: versions.register(caller=caller, model=model, release=release(number // 2)),
    )

    assert len(raised) == 4
    numbers = ModelVersion.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3, 4]


def test_movers_leave_one_open_row_and_no_overlap(caller_for, model):
    caller = caller_for("model_owner")
    stands = [ModelVersionFactory(model=model) for _ in range(8)]

    raised = at_once(
        8,
        lambda number: aliases.move(
            caller=caller, model=model, name="challenger", version=stands[number]
        ),
    )

    assert raised == []
    rows = list(Alias.objects.order_by("started_at", "pk"))
    assert len(rows) == 8
    assert [row.ended_at is None for row in rows] == [False] * 7 + [True]
    assert all(one.ended_at == other.started_at for one, other in pairwise(rows))


def test_a_mover_that_waited_starts_after_the_one_it_waited_for(caller_for, model):
    """Its transaction is the older one: the start of a transaction would put it in the past."""
    caller = caller_for("model_owner")
    one, two = ModelVersionFactory(model=model), ModelVersionFactory(model=model)
    waits, moved = threading.Event(), threading.Event()

    def old_but_late(number):
        with transaction.atomic():
            RegisteredModel.objects.get(pk=model.pk)  # the transaction has begun
            waits.set()
            assert moved.wait(30)
            aliases.move(caller=caller, model=model, name="a", version=two)

    late = threading.Thread(target=lambda: (old_but_late(0), connection.close()))
    late.start()
    assert waits.wait(30)
    aliases.move(caller=caller, model=model, name="a", version=one)
    moved.set()
    late.join(30)

    first, second = Alias.objects.order_by("pk")
    assert (first.version, second.version) == (one, two)
    assert first.ended_at == second.started_at > first.started_at


def test_one_of_two_makers_of_the_same_model_is_refused(caller_for):
    caller = caller_for("model_owner")

    raised = at_once(4, lambda number: models.create(caller=caller, name="same"))

    assert [error.code for error in raised] == ["already_exists"] * 3
    assert RegisteredModel.objects.count() == 1
    assert Event.objects.count() == 1
