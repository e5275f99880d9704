"""Asking for work, ending it, asking again; and a broker that is dead or silent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit.actions import Action
from common.errors import Conflict, InvalidTransition, NotAllowed
from jobs import broker, errors
from jobs.models import Job
from jobs.registry import Continue, Done
from jobs.services.cancel import cancel
from jobs.services.claim import claim_job
from jobs.services.enqueue import enqueue
from jobs.services.retry import retry
from jobs.services.run import claim_and_run, run
from tests.factories.accounts import WorkspaceFactory
from tests.factories.jobs import JobFactory, handling
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rung(monkeypatch):
    """The bells that rang, instead of a broker."""
    bells: list[tuple[str, str]] = []
    monkeypatch.setattr(broker, "nudge", lambda uid, queue: bells.append((uid, queue)) or True)
    return bells


def ask(workspace, **values):
    options = {"title": "Work", "payload": {"n": 1}, "caller": None, **values}
    with handling(lambda job, claim: Done(), queue="traffic", max_attempts=3):
        return enqueue("tests.work", workspace=workspace, **options)


def test_enqueue_takes_queue_and_attempts_from_the_kind(
    workspace, caller_for, rung, django_capture_on_commit_callbacks
):
    caller = caller_for("requester")
    with django_capture_on_commit_callbacks(execute=True):
        job = ask(workspace, caller=caller)
        assert rung == []

    assert (job.state, job.queue, job.max_attempts) == ("queued", "traffic", 3)
    assert job.created_by_pid == caller.actor.pid
    assert rung == [(str(job.uid), "traffic")]


def test_a_rollback_takes_the_job_along(workspace, rung):
    with transaction.atomic():
        ask(workspace)
        transaction.set_rollback(True)
    assert Job.objects.count() == 0
    assert rung == []


def test_an_unknown_kind_is_refused(workspace):
    with pytest.raises(errors.UnknownKind):
        enqueue("tests.nobody", workspace=workspace, title="", payload={}, caller=None)
    assert Job.objects.count() == 0


def test_the_same_key_gives_the_same_unfinished_job(workspace):
    first = ask(workspace, dedupe_key="evidence:1")
    assert ask(workspace, dedupe_key="evidence:1") == first
    assert ask(WorkspaceFactory(), dedupe_key="evidence:1") != first

    Job.objects.filter(pk=first.pk).update(state="succeeded", finished_at=timezone.now())
    assert ask(workspace, dedupe_key="evidence:1") != first


def test_a_job_for_later_rings_no_bell(workspace, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = ask(workspace, run_after=timezone.now() + timedelta(hours=1))
    assert claim_job(job.uid) is None
    assert rung == []


def test_a_waiting_job_is_cancelled_at_once(workspace, caller_for):
    job = JobFactory(workspace=workspace)

    cancel(uid=job.uid, caller=caller_for("operator"))

    job.refresh_from_db()
    assert (job.state, job.cancel_requested) == ("cancelled", True)
    assert claim_job(job.uid) is None
    assert recorded_actions() == [Action.JOB_CANCELLED]


def test_a_running_job_ends_at_its_next_step(workspace, caller_for):
    job = JobFactory(workspace=workspace)
    claim = claim_job(job.uid)

    cancel(uid=job.uid, caller=caller_for("operator"))
    cancel(uid=job.uid, caller=caller_for("operator"))  # asking twice is one wish

    job.refresh_from_db()
    assert job.state == "running"
    assert recorded_actions() == [Action.JOB_CANCELLED]
    with pytest.raises(errors.Cancelled):
        claim.stop_if_cancelled()
    with handling(lambda job, claim: Continue({"n": 1})):
        assert run(claim).state == "cancelled"


def test_work_that_was_done_before_it_heard_of_the_wish_stays_done(workspace, caller_for):
    job = JobFactory(workspace=workspace)
    caller = caller_for("operator")

    def finish(job, claim):
        cancel(uid=job.uid, caller=caller)
        return Done({"n": 1})

    with handling(finish):
        assert claim_and_run(job.uid).state == "succeeded"


def test_a_kind_that_has_to_undo_hears_the_wish_and_decides(workspace, caller_for):
    job = JobFactory(workspace=workspace, next_run_at=timezone.now() + timedelta(hours=1))

    def undo(job, claim):
        return Done({"undone": claim.cancel_requested()})

    with handling(undo, cancelling="handler"):
        cancel(uid=job.uid, caller=caller_for("operator"))
        assert claim_and_run(job.uid).result == {"undone": True}


def test_a_kind_that_is_ended_elsewhere_is_not_cancelled_here(workspace, caller_for):
    job = JobFactory(workspace=workspace)
    with (
        handling(lambda job, claim: Done(), cancelling="never"),
        pytest.raises(errors.NotCancellable),
    ):
        cancel(uid=job.uid, caller=caller_for("administrator"))
    job.refresh_from_db()
    assert not job.cancel_requested
    assert recorded_actions() == []


def test_strangers_cancel_nothing(workspace, caller_for):
    job = JobFactory(workspace=workspace)
    other = WorkspaceFactory()
    for caller, refusal in (
        (caller_for("viewer"), NotAllowed),
        (caller_for("validator", "auditor"), NotAllowed),
        (caller_for("administrator", workspace=other), errors.JobNotFound),
    ):
        with pytest.raises(refusal):
            cancel(uid=job.uid, caller=caller)
    job.refresh_from_db()
    assert (job.state, job.cancel_requested) == ("queued", False)
    assert recorded_actions() == []


def test_whoever_asked_may_cancel(workspace, caller_for):
    caller = caller_for("requester")
    job = JobFactory(workspace=workspace, created_by_pid=caller.actor.pid)
    assert cancel(uid=job.uid, caller=caller).state == "cancelled"


@pytest.mark.parametrize("state", ["failed", "cancelled", "needs_operator"])
def test_what_ended_without_a_result_runs_again_from_its_cursor(
    workspace, caller_for, state, rung, django_capture_on_commit_callbacks
):
    job = JobFactory(
        workspace=workspace,
        state=state,
        finished_at=timezone.now(),
        attempts=5,
        cursor={"n": 7},
        error="Gone.",
        error_code="gone",
        cancel_requested=True,
    )

    with django_capture_on_commit_callbacks(execute=True):
        retry(uid=job.uid, caller=caller_for("operator"))

    job.refresh_from_db()
    assert (job.state, job.attempts, job.error, job.cancel_requested) == ("queued", 0, "", False)
    assert job.cursor == {"n": 7}
    assert job.finished_at is None
    assert rung == [(str(job.uid), "default")]
    assert recorded_actions() == [Action.JOB_RETRIED]


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_nothing_else_runs_again(workspace, caller_for, state):
    finished = timezone.now() if state == "succeeded" else None
    job = JobFactory(workspace=workspace, state=state, finished_at=finished)
    with pytest.raises(InvalidTransition):
        retry(uid=job.uid, caller=caller_for("operator"))
    assert recorded_actions() == []


def test_a_retry_beside_newer_work_of_the_same_key_is_refused(workspace, caller_for):
    job = JobFactory(
        workspace=workspace, dedupe_key="k", state="failed", finished_at=timezone.now()
    )
    JobFactory(workspace=workspace, dedupe_key="k")
    with pytest.raises(Conflict):
        retry(uid=job.uid, caller=caller_for("operator"))
    job.refresh_from_db()
    assert job.state == "failed"
    assert recorded_actions() == []


# A broker that does not answer


@pytest.fixture
def patient(monkeypatch):
    """The real bell, with no memory of earlier failures."""
    monkeypatch.undo()
    broker.forgive()
    yield
    broker.forgive()


def timed_enqueue(workspace) -> float:
    started = time.monotonic()
    ask(workspace)
    return time.monotonic() - started


@pytest.mark.usefixtures("patient")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["missing socket", "refusing port", "silent server"])
def test_enqueue_commits_within_a_second_beside_a_dead_broker(
    settings, workspace, kind, tmp_path, caplog
):
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    if kind == "silent server":
        listening.listen(8)  # takes connections and never says a word
    url = f"redis://127.0.0.1:{port}/0"
    settings.CELERY_BROKER_URL = (
        f"redis+socket://{tmp_path}/none.sock?virtual_host=0" if kind == "missing socket" else url
    )
    broker.publisher.cache_clear()
    try:
        first = timed_enqueue(workspace)
        rest = sum(timed_enqueue(workspace) for _ in range(20))
    finally:
        listening.close()
        broker.publisher.cache_clear()

    assert Job.objects.count() == 21
    assert first < 1.0
    assert rest < 1.0, "only the first of many waits for a dead broker"
    assert "the broker was not told" in caplog.text


@pytest.mark.usefixtures("patient")
@pytest.mark.django_db(transaction=True)
@pytest.mark.serial
def test_enqueue_commits_within_a_second_beside_a_stopped_redis(settings, workspace, tmp_path):
    """A real Redis that is stopped in its tracks (SIGSTOP): connected, and mute."""
    from embedded.redis import _binary

    path = tmp_path / "r.sock"
    server = subprocess.Popen(
        [_binary(), "--port", "0", "--unixsocket", str(path), "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    settings.CELERY_BROKER_URL = f"redis+socket://{path}?virtual_host=0"
    broker.publisher.cache_clear()
    try:
        deadline = time.monotonic() + 10
        while broker.waiting(["traffic"]) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        broker.forgive()
        ask(workspace)
        assert broker.waiting(["traffic"]) == {"traffic": 1}
        os.kill(server.pid, signal.SIGSTOP)
        assert timed_enqueue(workspace) < 1.0
        os.kill(server.pid, signal.SIGCONT)
        broker.forgive()
        ask(workspace)
        # The bell that rang while it was stopped may have been heard after all.
        assert broker.waiting(["traffic"])["traffic"] in (2, 3)
    finally:
        server.kill()
        server.wait()
        broker.publisher.cache_clear()
    assert Job.objects.count() == 3


# Races


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_two_askers_at_once_get_one_job(workspace):
    barrier = threading.Barrier(4)
    got: list[int] = []

    def asker() -> None:
        barrier.wait()
        try:
            got.append(ask_quietly())
        finally:
            connection.close()

    def ask_quietly() -> int:
        return enqueue(
            "tests.work",
            workspace=workspace,
            title="Work",
            payload={},
            caller=None,
            dedupe_key="once",
        ).pk

    with handling(lambda job, claim: Done()):
        threads = [threading.Thread(target=asker) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(got) == 4
    assert len(set(got)) == 1
    assert Job.objects.count() == 1


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locked", [True, False])
def test_claimers_at_a_barrier_get_each_job_once_and_only_because_of_the_lock(workspace, locked):
    """Eight claimers at once. Without the lock (look, then update), a job goes to several."""
    jobs = [JobFactory(workspace=workspace) for _ in range(20)]
    barrier = threading.Barrier(8)
    claimed: list[int] = []

    def naive(uid) -> int | None:
        job = Job.objects.get(uid=uid)
        is_free = job.state == "queued"
        barrier.wait()
        if not is_free:
            return None
        Job.objects.filter(pk=job.pk).update(state="running", fence=job.fence + 1)
        return job.pk

    def real(uid) -> int | None:
        barrier.wait()
        claim = claim_job(uid)
        return None if claim is None else claim.job.pk

    def claimer() -> None:
        try:
            for job in jobs:
                if (found := (real if locked else naive)(job.uid)) is not None:
                    claimed.append(found)
        finally:
            connection.close()

    threads = [threading.Thread(target=claimer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(claimed) == {job.pk for job in jobs}
    assert (len(claimed) == len(jobs)) is locked
    if locked:
        fences = list(Job.objects.values_list("fence", flat=True))
        assert len(set(fences)) == len(jobs)


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_a_holder_in_its_transaction_is_not_reaped(workspace):
    """``insist_mine`` locks the row: the reaper passes by, and the rows beside it commit."""
    from jobs.services.reap import reap

    claim = claim_job(JobFactory(workspace=workspace).uid)
    Job.objects.update(lease_until=timezone.now() - timedelta(hours=1))
    reaped: list[int] = []

    def reaper() -> None:
        try:
            reaped.append(reap())
        finally:
            connection.close()

    with transaction.atomic():
        claim.insist_mine()
        thread = threading.Thread(target=reaper)
        thread.start()
        thread.join()
        claim.save(cursor={"n": 1})
    assert reaped == [0]
    assert Job.objects.get().cursor == {"n": 1}
