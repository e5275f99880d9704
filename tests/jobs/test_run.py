"""What comes of a claim: done, go on, try again, give up, cancel; and nothing from a zombie."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from audit.actions import Action
from common.errors import Invalid
from jobs import errors
from jobs.models import Job
from jobs.registry import Continue, Done
from jobs.services import reap
from jobs.services.claim import claim_job, claim_next
from jobs.services.run import claim_and_run, run, run_until_idle
from jobs.signals import job_finished
from tests.factories.jobs import JobFactory, handling
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick(settings):
    settings.JOB_RETRY_SECONDS = 0.01


def lose_lease(job: Job) -> None:
    """As if the worker had been silent for longer than its lease."""
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(hours=1))


def test_done_keeps_the_result_and_fills_the_bar():
    job = JobFactory()

    with handling(lambda job, claim: Done({"rows": 3}, "Scored 3 rows.")):
        claim_and_run(job.uid)

    job.refresh_from_db()
    assert (job.state, job.progress, job.result) == ("succeeded", 1.0, {"rows": 3})
    assert job.message == "Scored 3 rows."
    assert job.finished_at is not None
    assert job.lease_until is None


def test_continue_goes_on_from_its_cursor_until_done():
    job = JobFactory()

    def count(job, claim):
        n = job.cursor.get("n", 0) + 1
        return Done({"n": n}) if n == 4 else Continue({"n": n}, progress=n / 4)

    with handling(count):
        assert run_until_idle(5) == 4

    job.refresh_from_db()
    assert (job.state, job.result, job.claims) == ("succeeded", {"n": 4}, 4)


def test_continue_with_a_wait_is_not_claimed_before_its_time():
    job = JobFactory()

    with handling(lambda job, claim: Continue({"n": 1}, after_s=60)):
        claim_and_run(job.uid)
        assert claim_job(job.uid) is None

    job.refresh_from_db()
    assert job.state == "queued"
    assert job.next_run_at > timezone.now() + timedelta(seconds=50)


def test_retry_counts_attempts_and_ends_in_failure_with_an_event():
    job = JobFactory(max_attempts=3)

    def never(job, claim):
        raise errors.Retry("The endpoint does not answer.", "timeout")

    with handling(never):
        assert run_until_idle(5) == 3

    job.refresh_from_db()
    assert (job.state, job.attempts, job.error_code) == ("failed", 3, "timeout")
    assert job.error == "The endpoint does not answer."
    assert recorded_actions() == [Action.JOB_FAILED]


def test_the_last_attempt_needs_an_operator_where_the_kind_says_so():
    job = JobFactory(max_attempts=1)

    def never(job, claim):
        raise errors.Retry("Half done.")

    with handling(never, exhausted="needs_operator"):
        claim_and_run(job.uid)

    job.refresh_from_db()
    assert job.state == "needs_operator"


@pytest.mark.parametrize(
    ("raised", "state", "code"),
    [
        (errors.Fail("No such column.", "wrong_columns"), "failed", "wrong_columns"),
        (Invalid("The file is empty.", code="empty"), "failed", "empty"),
        (errors.NeedsOperator("Look at it.", "stuck"), "needs_operator", "stuck"),
        (errors.Cancelled(), "cancelled", ""),
    ],
)
def test_what_cannot_heal_ends_the_job_at_once(raised, state, code):
    job = JobFactory()

    def broken(job, claim):
        raise raised

    with handling(broken):
        claim_and_run(job.uid)

    job.refresh_from_db()
    assert (job.state, job.error_code, job.claims) == (state, code, 1)


def test_a_bug_in_a_handler_is_tried_again_and_its_text_is_not_shown(caplog):
    job = JobFactory(max_attempts=2)

    def buggy(job, claim):
        raise RuntimeError("secret-value")

    with handling(buggy):
        run_until_idle(5)

    job.refresh_from_db()
    assert (job.state, job.error_code, job.attempts) == ("failed", "unexpected_error", 2)
    assert "secret-value" not in job.error
    assert "handler raised" in caplog.text


@pytest.mark.parametrize("outcome", [None, {"rows": 1}, Done({"auc": math.nan})])
def test_an_outcome_that_is_none_counts_as_a_failed_attempt(outcome):
    job = JobFactory(max_attempts=1)

    with handling(lambda job, claim: outcome):
        claim_and_run(job.uid)

    job.refresh_from_db()
    assert (job.state, job.result) == ("failed", {})


def test_a_kind_without_a_handler_waits_for_a_worker_that_knows_it():
    job = JobFactory(max_attempts=5)

    claim_and_run(job.uid)

    job.refresh_from_db()
    assert (job.state, job.error_code, job.attempts) == ("queued", "unknown_kind", 1)


def test_a_claim_has_a_larger_fence_than_every_earlier_one():
    jobs = [JobFactory() for _ in range(3)]

    fences = [claim_job(job.uid).fence for job in jobs]

    assert fences == sorted(set(fences))
    assert fences[0] > 0


def test_a_claimed_job_is_not_claimed_again_and_the_oldest_due_comes_first():
    first, second = JobFactory(), JobFactory()
    assert claim_next(("default",)).job == first
    assert claim_job(first.uid) is None
    assert claim_next(("traffic",)) is None
    assert claim_next(("default",)).job == second


def test_save_extends_the_lease_and_moves_the_bar():
    claim = claim_job(JobFactory().uid)
    before = claim.job.lease_until

    claim.save(cursor={"batch": 7}, progress=1.7, message="Batch 7\nof 9")

    job = Job.objects.get(pk=claim.job.pk)
    assert (job.cursor, job.progress, job.message) == ({"batch": 7}, 1.0, "Batch 7 of 9")
    assert job.lease_until > before
    assert claim.job.cursor == {"batch": 7}


def test_a_zombie_can_write_nothing():
    job = JobFactory()
    zombie = claim_job(job.uid)
    lose_lease(job)
    reap.reap()
    holder = claim_job(job.uid)
    holder.save(cursor={"by": "holder"})

    for attempt in (
        lambda: zombie.save(cursor={"by": "zombie"}),
        lambda: zombie.cancel_requested(),
        lambda: zombie.insist_mine(),
    ):
        with pytest.raises(errors.LeaseLost):
            attempt()

    job.refresh_from_db()
    assert (job.fence, job.cursor) == (holder.fence, {"by": "holder"})


@pytest.mark.parametrize("reclaimed", [True, False])
@pytest.mark.parametrize(
    "outcome",
    [
        Done({"by": "zombie"}),
        Continue({"by": "zombie"}),
        errors.Retry("zombie"),
        errors.Fail("zombie"),
        RuntimeError("zombie"),
        errors.Cancelled(),
    ],
)
def test_whatever_a_zombie_ends_with_is_dropped(outcome, reclaimed):
    """Also when nobody has claimed the job yet: it is queued, under a fence of nobody's."""
    job = JobFactory()

    def overtaken(job, claim):
        lose_lease(job)
        reap.reap()
        if reclaimed:
            assert claim_job(job.uid) is not None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with handling(overtaken):
        claim_and_run(job.uid)

    job.refresh_from_db()
    assert job.state == ("running" if reclaimed else "queued")
    assert (job.result, job.cursor) == ({}, {})
    assert "zombie" not in job.error
    assert recorded_actions() == []


def test_the_fence_is_what_stops_the_zombie():
    """The same write without the fence goes through: so the tests above show the fence's work."""
    job = JobFactory()
    claim_job(job.uid)
    lose_lease(job)
    reap.reap()
    claim_job(job.uid)

    unfenced = Job.objects.filter(pk=job.pk).update(cursor={"by": "zombie"})

    assert unfenced == 1


def test_insist_mine_needs_a_transaction(transactional_db):
    claim = claim_job(JobFactory().uid)
    with pytest.raises(transaction.TransactionManagementError):
        claim.insist_mine()
    with transaction.atomic():
        claim.insist_mine()


def test_reaping_counts_an_attempt_and_leaves_live_leases_alone():
    lost, alive = JobFactory(), JobFactory()
    claim_job(lost.uid)
    held = claim_job(alive.uid)
    lose_lease(lost)

    assert reap.reap() == 1

    lost.refresh_from_db()
    assert (lost.state, lost.attempts, lost.error_code) == ("queued", 1, "worker_lost")
    held.save(progress=0.5)


@pytest.mark.parametrize("exhausted", ["failed", "needs_operator"])
def test_a_worker_lost_too_often_ends_the_job_with_an_event(exhausted):
    job = JobFactory(max_attempts=2)
    with handling(lambda job, claim: Done(), exhausted=exhausted):
        for _ in range(2):
            claim_job(job.uid)
            lose_lease(job)
            reap.reap()

    job.refresh_from_db()
    assert (job.state, job.error_code) == (exhausted, "worker_lost")
    assert recorded_actions() == [Action.JOB_FAILED]


def test_a_lost_job_that_should_be_cancelled_ends_cancelled():
    job = JobFactory()
    with handling(lambda job, claim: Done()):
        claim_job(job.uid)
        Job.objects.filter(pk=job.pk).update(cancel_requested=True)
        lose_lease(job)
        reap.reap()

    job.refresh_from_db()
    assert job.state == "cancelled"


def test_only_the_databases_clock_counts():
    """A worker whose clock is a day ahead neither claims early nor takes a live lease."""
    import time_machine as machine

    waiting = JobFactory(next_run_at=timezone.now() + timedelta(hours=1))
    held = claim_job(JobFactory().uid)

    with machine.travel(timezone.now() + timedelta(days=1), tick=True):
        assert claim_job(waiting.uid) is None
        assert reap.reap() == 0
    held.save(progress=0.1)


def test_attempts_are_forgiven_when_the_work_gets_somewhere():
    job = JobFactory(max_attempts=2, attempts=1)
    with handling(lambda job, claim: Continue({"n": 1}, after_s=60)):
        claim_and_run(job.uid)

    job.refresh_from_db()
    assert job.attempts == 0


def test_finished_is_told_once_after_the_end_and_a_bad_receiver_harms_nobody(caplog):
    told = []

    def bad(sender, job, **kwargs):
        raise RuntimeError("receiver")

    def good(sender, job, **kwargs):
        told.append((job.state, job.result))

    job = JobFactory()
    job_finished.connect(bad)
    job_finished.connect(good)
    try:
        with handling(lambda job, claim: Done({"n": 1})):
            claim_and_run(job.uid)
            claim_and_run(job.uid)
    finally:
        job_finished.disconnect(bad)
        job_finished.disconnect(good)

    assert told == [("succeeded", {"n": 1})]
    assert "receiver" in caplog.text


def test_business_rows_and_cursor_commit_together(workspace):
    """Dying between the rows and the save would do them twice; in one transaction it does not."""
    job = JobFactory(workspace=workspace, max_attempts=3)
    rows = []

    def work(job, claim):
        done = job.cursor.get("done", 0)
        with transaction.atomic():
            claim.insist_mine()
            rows.append(done)
            claim.save(cursor={"done": done + 1})
            if job.attempts == 0:
                raise RuntimeError("dies before the commit")
        return Done({"done": done + 1})

    with handling(work):
        run_until_idle(5)

    job.refresh_from_db()
    assert (job.state, job.result, job.cursor) == ("succeeded", {"done": 1}, {"done": 1})
    assert rows == [0, 0]


@pytest.mark.parametrize(
    "broken", [{"progress": 1.5}, {"state": "succeeded"}, {"finished_at": timezone.now()}]
)
def test_the_database_keeps_a_job_whole(broken):
    job = JobFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**broken)


def test_a_claim_is_one_query_and_a_load(django_assert_num_queries):
    job = JobFactory()
    with django_assert_num_queries(2 + 2 * connection.in_atomic_block):  # savepoint, release
        claim_job(job.uid)


def test_a_run_knows_its_budget(settings):
    settings.JOB_HANDLER_BUDGET_SECONDS = 7.0
    claim = claim_job(JobFactory().uid)
    assert 6.0 < claim.remaining_s() <= 7.0
    with handling(lambda job, claim: Done()):
        assert run(claim).state == "succeeded"
