"""Killed, cancelled, late: whatever happens to the job, one result and no batch twice in it."""

import threading
from contextlib import contextmanager

import pytest
from django.db import connection

from audit.actions import Action
from common.errors import InvalidTransition, NotAllowed
from evaluation.errors import EvidenceNotFound
from evaluation.models import ScoredBatch
from evaluation.services import finish, request, scoring
from jobs.errors import LeaseLost
from jobs.models import Job
from jobs.services import claim as claims
from jobs.services.run import claim_and_run, run, run_until_idle
from tests.evaluation.conftest import good, other
from tests.factories.evaluation import EvidenceFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(caller, version, dataset, serve, endpoint_of):
    server = serve(good)
    endpoint_of(version, server)
    evidence = request.ask(
        caller=caller,
        kind="evaluation",
        version=version,
        dataset=dataset,
        params={"batch_rows": 30},
    )
    return evidence, server


def claimed(evidence):
    claim = claims.claim_job(evidence.job.uid)
    assert claim is not None
    return claim


def steal(evidence):
    """What the reaper does to a dead worker's job: back into the queue under a new fence."""
    with own_connection():
        Job.objects.filter(pk=evidence.job.pk).update(
            state=Job.State.QUEUED, fence=evidence.job.fence + 1_000_000, lease_until=None
        )


@contextmanager
def own_connection():
    """In the model server's thread a connection is nobody else's to close."""
    try:
        yield
    finally:
        if threading.current_thread() is not threading.main_thread():
            connection.close()


def test_a_lost_lease_stops_the_worker_and_the_next_goes_on_from_there(asked, finished):
    evidence, server = asked
    stolen = []

    def rob(number):
        if number == 5:
            stolen.append(True)
            steal(evidence)

    server.before_answer = rob
    run(claimed(evidence))

    kept = ScoredBatch.objects.filter(evidence=evidence).count()
    assert stolen
    assert 1 <= kept <= 5
    evidence.refresh_from_db()
    assert evidence.state == "running"
    assert finished == []

    asked_before = len(server.rows)
    run_until_idle(max_s=20)

    evidence.refresh_from_db()
    assert evidence.state == "complete"
    assert evidence.result["latency_ms"]["calls"] == 10
    assert evidence.result["rows"] == 293
    assert len(server.rows) - asked_before == 300 - kept * 30
    assert len(finished) == 1


def test_a_zombie_writes_nothing_after_its_lease(asked):
    evidence, _ = asked
    claim = claimed(evidence)
    steal(evidence)

    with pytest.raises(LeaseLost):
        finish.complete(claim=claim, evidence=evidence, result={"rows": 1}, data_digests=[])
    with pytest.raises(LeaseLost):
        finish.fail(claim=claim, evidence=evidence, code="x", message="y")

    evidence.refresh_from_db()
    assert (evidence.state, evidence.digest) == ("waiting", None)


def test_a_second_result_for_complete_evidence_is_the_first(asked, finished):
    evidence, _ = asked
    run_until_idle(max_s=20)
    evidence.refresh_from_db()
    first = evidence.digest
    # killed between the result's commit and the job's last word: the job runs again
    Job.objects.filter(pk=evidence.job.pk).update(state=Job.State.QUEUED, finished_at=None)

    job = claim_and_run(evidence.job.uid)

    evidence.refresh_from_db()
    assert (evidence.digest, job.state) == (first, Job.State.SUCCEEDED)
    assert len(finished) == 2  # told again: the first telling may have died with the worker


def test_a_used_up_budget_hands_over_to_the_next_claim(asked, settings):
    evidence, _ = asked
    settings.JOB_HANDLER_BUDGET_SECONDS = scoring.MARGIN_S - 1.0

    run(claimed(evidence))

    job = Job.objects.get(pk=evidence.job.pk)
    assert job.state == Job.State.QUEUED
    assert job.cursor == {"arm": "candidate", "batch": 1}
    assert job.message == "30 of 300 rows scored"
    assert 0 < job.progress < 0.2
    settings.JOB_HANDLER_BUDGET_SECONDS = 120.0
    run_until_idle(max_s=20)
    evidence.refresh_from_db()
    assert evidence.state == "complete"


def test_an_explanation_goes_on_from_its_kept_answers(
    caller, version, dataset, serve, endpoint_of, settings
):
    def wish():
        return request.ask(
            caller=caller,
            kind="explanation",
            version=version,
            dataset=dataset,
            seed=3,
            params={"sample_rows": 8, "background_rows": 5, "batch_rows": 20},
        )

    server = serve(other)
    endpoint_of(version, server)
    whole = wish()
    run_until_idle(max_s=30)
    whole.refresh_from_db()
    calls = whole.result["budget"]["calls"]
    server.rows.clear()
    evidence = wish()

    def rob(number):
        if number == calls + 3:
            steal(evidence)

    server.before_answer = rob
    run(claimed(evidence))
    kept = ScoredBatch.objects.filter(evidence=evidence).count()
    assert 1 <= kept < calls
    run_until_idle(max_s=30)

    evidence.refresh_from_db()
    assert {**evidence.result, "latency_ms": None} == {**whole.result, "latency_ms": None}


def test_cancelling_what_waits_ends_it_at_once(asked, caller, recorded_actions, finished):
    evidence, server = asked

    request.cancel(caller=caller, uid=evidence.uid)

    evidence.refresh_from_db()
    assert (evidence.state, evidence.job.state) == ("cancelled", "cancelled")
    assert Action.EVIDENCE_CANCELLED in recorded_actions()
    assert [it.state for it in finished] == ["cancelled"]
    run_until_idle(max_s=1)
    assert server.calls == 0
    with pytest.raises(InvalidTransition):
        request.cancel(caller=caller, uid=evidence.uid)


def test_cancelling_what_runs_stops_it_at_the_next_batch(asked, caller):
    evidence, server = asked
    server.before_answer = lambda number: number == 4 and request_from_elsewhere()

    def request_from_elsewhere():
        with own_connection():
            Job.objects.filter(pk=evidence.job.pk).update(cancel_requested=True)

    run_until_idle(max_s=20)

    evidence.refresh_from_db()
    assert (evidence.state, evidence.job.state) == ("cancelled", "cancelled")
    assert server.calls < 10
    assert not ScoredBatch.objects.exists()
    again = request.retry(caller=caller, uid=evidence.uid)
    run_until_idle(max_s=20)
    again.refresh_from_db()
    assert again.state == "complete"


def test_only_who_may_run_evidence_may_stop_or_repeat_it(asked, caller_for):
    evidence, _ = asked
    viewer = caller_for("viewer")

    with pytest.raises(NotAllowed):
        request.cancel(caller=viewer, uid=evidence.uid)
    with pytest.raises(NotAllowed):
        request.retry(caller=viewer, uid=evidence.uid)
    with pytest.raises(EvidenceNotFound):
        request.cancel(caller=caller_for("validator"), uid=EvidenceFactory().uid)

    evidence.refresh_from_db()
    assert evidence.state == "waiting"


def test_what_is_waiting_or_complete_is_not_run_again(asked, caller):
    evidence, _ = asked
    with pytest.raises(InvalidTransition):
        request.retry(caller=caller, uid=evidence.uid)
    run_until_idle(max_s=20)
    with pytest.raises(InvalidTransition):
        request.retry(caller=caller, uid=evidence.uid)


def test_a_job_that_died_without_its_handler_takes_the_evidence_along(asked, recorded_actions):
    evidence, _ = asked
    Job.objects.filter(pk=evidence.job.pk).update(
        state=Job.State.FAILED,
        error="The worker died.",
        error_code="lost",
        finished_at="2026-01-01T00:00Z",
    )

    assert finish.settle_all() == 1
    assert finish.settle_all() == 0

    evidence.refresh_from_db()
    assert (evidence.state, evidence.error_code) == ("failed", "lost")
    assert recorded_actions()[-1] == Action.EVIDENCE_FAILED


def test_a_retry_asks_the_newest_endpoint(asked, caller, version, serve, endpoint_of):
    evidence, server = asked
    server.behave = "bad_rows"
    run_until_idle(max_s=20)
    repaired = endpoint_of(version, serve(good))

    request.retry(caller=caller, uid=evidence.uid)
    run_until_idle(max_s=20)

    evidence.refresh_from_db()
    assert evidence.state == "complete"
    assert evidence.endpoint == repaired


def test_a_job_repeated_from_the_jobs_page_brings_the_evidence_along(asked, caller_for):
    from jobs.services.retry import retry

    evidence, server = asked
    server.behave = "bad_rows"
    run_until_idle(max_s=20)
    server.behave = "well"

    retry(uid=evidence.job.uid, caller=caller_for("operator"))
    run_until_idle(max_s=20)

    evidence.refresh_from_db()
    assert (evidence.state, evidence.error) == ("complete", "")
