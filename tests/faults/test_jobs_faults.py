"""Real Celery workers and a real Redis, killed at random moments: one result each, none lost.

The moments come from a seed that is printed; set ``FAULT_SEED`` to see the same ones again.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter

import pytest
from celery import Celery
from django.conf import settings as django_settings
from django.db import connection

from jobs import broker, registry
from jobs.models import Job
from jobs.services.enqueue import enqueue
from tests.faults.app import handlers
from tests.processes import House, Process

pytestmark = [pytest.mark.serial, pytest.mark.timeout(170)]

MOMENTS = 20


@pytest.fixture
def chance():
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(2**32))
    print(f"FAULT_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def shop(house, settings):
    """The house with the table the handlers write to, and this process ringing at its Redis."""
    settings.CELERY_BROKER_URL = f"redis+socket://{house.var}/redis/redis.sock?virtual_host=0"
    broker.publisher.cache_clear()
    broker.forgive()
    with connection.cursor() as sql:
        sql.execute(handlers.TABLE)
    registry.register(handlers.KIND, max_attempts=50)(handlers.count)
    yield house
    for process in house.processes:
        process.kill()  # a warm shut-down would take seconds and prove nothing here
    registry.forget(handlers.KIND)
    broker.publisher.cache_clear()


def worker(house: House, *, wait: bool = True, **extra: str) -> Process:
    process = house.start(
        "worker",
        *(sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-Q", "default,traffic"),
        *("-c", "2", "-P", "prefork", "-n", f"w{len(house.processes)}@faults", "-l", "INFO"),
        DJANGO_SETTINGS_MODULE="tests.settings_faults",
        **extra,
    )
    if wait:
        house.wait("it listens", lambda: " ready." in process.log, timeout_s=60, alive=[process])
    return process


def ask(house: House, n: int) -> Job:
    return enqueue(
        handlers.KIND, workspace=house.workspace(), title=f"Count {n}", payload={}, caller=None
    )


def assert_each_has_exactly_one_result(jobs: list[Job]) -> None:
    """Every job succeeded, every batch was written once, and by fences that only grew."""
    rows = Job.objects.filter(pk__in=[job.pk for job in jobs])
    assert {(job.state, job.result.get("batches")) for job in rows} == {("succeeded", 8)}
    with connection.cursor() as sql:
        sql.execute("SELECT job, batch, fence FROM faults_row ORDER BY job, batch")
        written = sql.fetchall()
    assert Counter((job, batch) for job, batch, _ in written) == Counter(
        (job.uid, batch) for job in jobs for batch in range(handlers.BATCHES)
    )
    for job in jobs:
        fences = [fence for uid, _, fence in written if uid == job.uid]
        assert fences == sorted(fences)


def finish_all(house: House, jobs: list[Job], workers: list[Process], timeout_s: float) -> None:
    """Wait for every job; a worker that ended itself is started again, as a supervisor would."""

    def over() -> bool:
        if not any(one.is_running for one in workers):
            workers.append(worker(house, wait=False))
        return not Job.objects.filter(finished_at__isnull=True).exists()

    house.wait("every job is over", over, timeout_s=timeout_s)


def test_workers_killed_in_the_middle_of_jobs_leave_exactly_one_result_each(shop, chance):
    """Every fourth time the whole worker, else the one pool process that holds the job (OOM)."""
    workers = [worker(shop, wait=False) for _ in range(2)]
    jobs: list[Job] = []
    hit: Counter[str] = Counter()
    for n in range(3 * MOMENTS):
        if hit["pool process"] + hit["whole worker"] == MOMENTS:
            break
        job = ask(shop, n)
        jobs.append(job)
        shop.wait("it runs", lambda job=job: holder(job) or is_over(job), timeout_s=60)
        time.sleep(chance.uniform(0.0, 0.25))
        pid = holder(job)
        if pid is None:
            hit["between two claims, or done"] += 1
            continue
        if n % 4:
            kill(pid)
            hit["pool process"] += 1
            continue
        owner = next((one for one in workers if is_child(pid, one.pid)), None)
        if owner is None:
            hit["gone already"] += 1
            continue
        owner.kill()
        workers.remove(owner)
        workers.append(worker(shop, wait=False))
        hit["whole worker"] += 1
    finish_all(shop, jobs, workers, timeout_s=60)

    print(dict(hit), "lost claims:", sum(job.claims for job in Job.objects.all()) - 2 * len(jobs))
    assert hit["pool process"] + hit["whole worker"] == MOMENTS
    assert hit["whole worker"] >= 3
    assert_each_has_exactly_one_result(jobs)


def test_redis_killed_and_restarted_loses_no_job(shop, chance):
    """Asked for before, while and after Redis is away; nudges are lost, jobs are not."""
    workers = [worker(shop)]
    jobs: list[Job] = []
    slowest = 0.0
    for n in range(MOMENTS):
        jobs.append(ask(shop, n))
        time.sleep(chance.uniform(0.0, 0.3))
        shop.kill_redis()
        started = time.monotonic()
        jobs.append(ask(shop, n))
        slowest = max(slowest, time.monotonic() - started)
        time.sleep(chance.uniform(0.0, 0.1))
        shop.start_redis()
    jobs.append(ask(shop, MOMENTS))
    finish_all(shop, jobs, workers, timeout_s=60)

    print(f"slowest enqueue beside a dead Redis: {slowest * 1000:.0f} ms")
    assert slowest < 1.0
    assert_each_has_exactly_one_result(jobs)


def test_a_worker_stopped_past_its_lease_writes_nothing_when_it_wakes(shop):
    """SIGSTOP for longer than the lease: another finishes the job, then the zombie wakes.

    It is stopped wherever it happens to be, also inside a transaction that has the row locked.
    """
    first = worker(shop)
    job = ask(shop, 0)
    shop.wait("it runs", lambda: holder(job), timeout_s=30)
    first.send(signal.SIGSTOP)
    second = worker(shop)
    finish_all(shop, [job], [second], timeout_s=30)
    before = Job.objects.filter(pk=job.pk).values().get()
    first.send(signal.SIGCONT)
    shop.wait(
        "the zombie notices",
        lambda: "lease lost" in first.log,
        timeout_s=15,
    )

    assert Job.objects.filter(pk=job.pk).values().get() == before
    assert before["claims"] > 1
    assert_each_has_exactly_one_result([job])


def test_beat_dead_and_every_nudge_lost_costs_only_a_moment(shop, monkeypatch):
    """No beat runs and no nudge leaves: the worker finds the job by itself."""
    worker(shop)
    monkeypatch.setattr(broker, "nudge", lambda uid, queue: False)
    started = time.monotonic()
    job = ask(shop, 0)
    shop.wait("it is over", lambda: Job.objects.get(pk=job.pk).is_terminal, timeout_s=20)
    print(f"found after {time.monotonic() - started:.1f} s")
    assert_each_has_exactly_one_result([job])


def test_a_worker_that_hears_nothing_any_more_ends_itself(shop):
    """Alive, connected, and deaf: as seen after a broker's restart, here by its own consumers."""
    deaf = worker(shop, JOB_DEAF_SECONDS="4")
    app = Celery("tests", broker=django_settings.CELERY_BROKER_URL, set_as_current=False)
    for queue in ("default", "traffic"):
        app.control.cancel_consumer(queue)
    app.close()
    job = ask(shop, 0)
    jobs_workers = [deaf]

    shop.wait("it ends itself", lambda: not deaf.is_running, timeout_s=45)

    assert "hears no queue any more" in deaf.log
    finish_all(shop, [job], jobs_workers, timeout_s=60)
    assert_each_has_exactly_one_result([job])


def holder(job: Job) -> int | None:
    """The process that works on the job now."""
    row = Job.objects.filter(pk=job.pk, state="running").values_list("message", flat=True).first()
    return int(row) if row else None


def is_over(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, finished_at__isnull=False).exists()


def is_child(pid: int, parent: int) -> bool:
    try:
        return os.getpgid(pid) == parent
    except ProcessLookupError:
        return False


def kill(pid: int) -> None:
    """A pool process that one of our own workers started."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
