"""Ringing for what is due: schedules by slot, lost nudges, crowded queues, and a deaf worker."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from jobs import broker, schedules, tasks, worker
from jobs.models import Job, QueuePing, Tick
from jobs.registry import Done
from jobs.services import dispatch as dispatching
from jobs.services.claim import claim_job
from jobs.services.dispatch import dispatch
from tests.factories.jobs import JobFactory, handling

pytestmark = pytest.mark.django_db


@pytest.fixture
def bells(monkeypatch):
    """What rang, and how many unanswered bells each queue is said to hold."""
    rung: list[tuple[str, str, str]] = []
    held: dict[str, int] | None = {}

    def ring(wanted):
        found = [(task, arguments[0], queue) for task, arguments, queue in wanted]
        rung.extend(found)
        return len(found)

    monkeypatch.setattr(broker, "ring", ring)
    monkeypatch.setattr(broker, "waiting", lambda queues: held)
    monkeypatch.setattr(dispatching, "ping_every_s", lambda: 1e9)
    monkeypatch.setattr(schedules, "_schedules", {})
    rung_and_held = type("Bells", (), {"rung": rung, "held": held})
    schedules.take("ping default+traffic+reports", 1e9)
    return rung_and_held


def nudged(bells) -> list[str]:
    return [what for task, what, _ in bells.rung if task == "jobs.nudge"]


def test_due_jobs_are_rung_for_the_longest_waiting_first(bells):
    later = JobFactory(next_run_at=timezone.now() + timedelta(minutes=1))
    second = JobFactory(next_run_at=timezone.now() - timedelta(minutes=1), queue="traffic")
    first = JobFactory(next_run_at=timezone.now() - timedelta(minutes=2))
    running = JobFactory()
    claim_job(running.uid)

    dispatch()

    assert nudged(bells) == [str(first.uid), str(second.uid)]
    assert str(later.uid) not in nudged(bells)


def test_a_lost_worker_is_found_by_the_dispatch(bells):
    job = JobFactory()
    claim_job(job.uid)
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    dispatch()

    assert nudged(bells) == [str(job.uid)]


def test_one_dispatch_a_slot_whoever_asks(bells):
    JobFactory()
    assert dispatch(every_s=1000.0) == 1
    assert dispatch(every_s=1000.0) == 0
    assert dispatch(("default",), every_s=1000.0) >= 1  # a worker's own queues are its own slot


def test_crowded_queues_get_no_more_bells(bells):
    JobFactory()
    traffic = JobFactory(queue="traffic")
    bells.held.update({"default": broker.CROWDED, "traffic": broker.CROWDED - 1})

    dispatch()

    assert nudged(bells) == [str(traffic.uid)]


def test_a_dead_broker_ends_the_round_quietly(bells, monkeypatch):
    JobFactory()
    monkeypatch.setattr(broker, "waiting", lambda queues: None)
    assert dispatch() == 0
    assert bells.rung == []


def test_schedules_ring_on_their_queue_until_their_slot_is_taken(bells):
    ran = []
    schedules.register("tests.often", every_s=1000, func=lambda: ran.append(1), queue="reports")

    dispatch(every_s=0.001)
    assert bells.rung == [("jobs.periodic", "tests.often", "reports")]
    tasks.periodic("tests.often")
    tasks.periodic("tests.often")  # doubled, or from a second beat
    assert ran == [1]

    bells.rung.clear()
    time.sleep(0.002)
    dispatch(every_s=0.001)
    assert bells.rung == []


def test_a_schedule_that_fails_comes_again_in_its_next_slot(bells):
    def fails():
        raise RuntimeError("no")

    schedules.register("tests.fails", every_s=1, func=fails)
    with pytest.raises(RuntimeError):
        schedules.run("tests.fails")
    Tick.objects.filter(name="tests.fails").update(slot=0)
    assert [one.name for one in schedules.due(("default",))] == ["tests.fails"]


def test_an_unknown_schedule_is_nothing_to_do():
    tasks.periodic("tests.unknown")
    assert Tick.objects.count() == 0


@pytest.mark.parametrize("wrong", [{"every_s": 0.5}, {"queue": "nobody"}, {"name": "x" * 65}])
def test_a_schedule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"\S"):
        schedules.register(**{"name": "tests.x", "every_s": 5, "func": print, **wrong})


def test_old_ticks_go():
    for slot in range(50):
        Tick.objects.create(name="tests.x", slot=slot)
    Tick.objects.create(name="tests.other", slot=1)
    assert schedules.take("tests.x", 1.0)
    assert Tick.objects.filter(name="tests.x").count() == 1
    assert Tick.objects.filter(name="tests.other").count() == 1


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_two_beats_at_a_barrier_take_a_slot_once():
    barrier = threading.Barrier(6)
    took: list[bool] = []

    def beat() -> None:
        barrier.wait()
        try:
            took.append(schedules.take("tests.once", 1e9))
        finally:
            connection.close()

    threads = [threading.Thread(target=beat) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took) == [False] * 5 + [True]


def test_after_a_job_the_next_of_its_queue_is_rung_for(monkeypatch):
    rung = []
    monkeypatch.setattr(broker, "nudge", lambda uid, queue: rung.append((uid, queue)))
    first, second = JobFactory(), JobFactory()
    JobFactory(queue="reports")

    with handling(lambda job, claim: Done()):
        tasks.nudge(str(first.uid))
        assert rung == [(str(second.uid), "default")]
        tasks.nudge(str(first.uid))  # a late or doubled nudge does nothing
    assert len(rung) == 1
    assert Job.objects.get(pk=first.pk).claims == 1


# Deafness


@pytest.fixture
def listener(settings, monkeypatch):
    settings.JOB_DEAF_SECONDS = 100.0
    monkeypatch.setattr(broker, "waiting", lambda queues: {"default": 0})
    made = worker.Listener()
    made.heard_at -= 101
    return made


def test_a_worker_that_hears_nothing_while_nobody_pings_is_deaf(listener):
    QueuePing.objects.create(queue="default", completed_at=timezone.now() - timedelta(hours=1))
    assert listener.is_deaf(("default", "traffic"), busy=False)


def test_a_worker_is_not_deaf_that_works_or_heard_or_is_covered_for(listener, monkeypatch):
    assert not listener.is_deaf(("default",), busy=True)

    listener.heard_at -= 101
    tasks.ping("default")
    assert not listener.is_deaf(("default",), busy=False), "somebody answers this queue"

    QueuePing.objects.all().delete()
    listener.heard()
    assert not listener.is_deaf(("default",), busy=False)

    listener.heard_at -= 101
    monkeypatch.setattr(broker, "waiting", lambda queues: None)
    assert not listener.is_deaf(("default",), busy=False), "the broker is away"
    monkeypatch.setattr(broker, "waiting", lambda queues: {"default": 0})
    assert not listener.is_deaf(("default",), busy=False), "and only just back"


def test_pings_are_by_the_databases_clock():
    import time_machine

    with time_machine.travel(timezone.now() - timedelta(days=2)):
        tasks.ping("default")
        tasks.ping("default")
    assert worker.silent_queues(("default", "traffic"), 60.0) == ["traffic"]
