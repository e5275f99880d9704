"""From raw counters to what a step has seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import selectors
from delivery.models import RolloutSample, RolloutStep
from delivery.plan import Limits
from delivery.services import measure
from tests.factories import delivery as make


def reading(answers, bad=0, slow=0, timed=None):
    timed = answers if timed is None else timed
    return {"answers": answers, "bad": bad, "buckets": [[250.0, timed - slow], [1000.0, timed]]}


def test_what_came_between_two_readings():
    block = measure.delta(reading(30, 3, 2), reading(10, 1, 1))
    assert block == {"answers": 20, "bad": 2, "buckets": [[250.0, 19], [1000.0, 20]]}


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (reading(3, 1), reading(10, 0)),  # fewer answers
        (reading(12, 5), reading(10, 0)),  # more answers, but fewer good ones
        (reading(12, 0), reading(10, 1)),  # fewer bad ones
        (reading(12, 0, timed=4), reading(10, 0)),  # fewer timed ones
    ],
)
def test_a_restarted_envoy_counts_from_zero(now, before):
    assert measure.delta(now, before) == {
        "answers": now["answers"], "bad": now["bad"], "buckets": now["buckets"]
    }  # fmt: skip


COUNTS = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(
    lambda pair: reading(max(pair), min(pair))
)


@given(COUNTS, COUNTS)
def test_a_block_never_holds_more_bad_answers_than_answers(now, before):
    block = measure.delta(now, before)
    assert 0 <= block["bad"] <= block["answers"]
    assert all(count >= 0 for _, count in block["buckets"])


@given(st.lists(COUNTS, max_size=8))
def test_sums_are_what_was_added(blocks):
    total = measure.EMPTY
    for block in blocks:
        total = measure.add(total, block)
    assert total["answers"] == sum(block["answers"] for block in blocks)
    assert measure.summary(total, 250)["timed"] == total["answers"]


def test_a_summary_by_hand():
    total = {"answers": 10, "bad": 1, "buckets": [[100.0, 4], [250.0, 8], [1000.0, 9]]}
    assert measure.summary(total, 250) == {
        "answers": 10, "errors": 1, "timed": 9, "slow": 1,
        "p50_ms": pytest.approx(118.75), "p99_ms": pytest.approx(932.5),
    }  # fmt: skip
    assert measure.summary(measure.EMPTY, 250)["p99_ms"] is None


def step(weight=25, min_answers=50, min_seconds=0):
    return RolloutStep(weight=weight, min_answers=min_answers, min_seconds=min_seconds)


def look(at, candidate, stable, evidence, limits=Limits(slow_ms=250)):  # noqa: B008
    return measure.look(at, {"c": candidate, "s": stable}, ("c", "s"), limits, evidence)


def test_looks_add_up_over_a_restart_of_envoy():
    at, evidence = step(), measure.Evidence()
    look(at, reading(10), reading(30), evidence)
    look(at, reading(15), reading(45), evidence)
    seen = look(at, reading(4, 1), reading(12), evidence)

    assert seen.row.candidate["answers"] == 19
    assert seen.row.candidate["errors"] == 1
    assert seen.row.stable["answers"] == 57
    assert (seen.latest.candidate, seen.latest.stable) == (4, 12)
    assert seen.is_news
    assert not look(at, reading(4, 1), reading(12), evidence).is_news


def test_evidence_reads_back_as_it_was_written():
    at, evidence = step(), measure.Evidence()
    for n in range(1, 6):
        look(at, reading(10 * n, n), reading(30 * n), evidence)
    again = measure.Evidence.load(evidence.as_dict())
    assert again == evidence
    assert measure.Evidence.load({}) == measure.Evidence()


def test_slow_traffic_loses_no_evidence():
    """One answer at a time, hardly ever of both versions in one look."""
    at, evidence = step(weight=50, min_answers=1000), measure.Evidence()
    for n in range(1, 41):
        look(at, reading(n, n), reading(n - 1), evidence)
        look(at, reading(n, n), reading(n), evidence)
    assert evidence.errors.beside.candidate == 40
    assert evidence.log_e_errors > measure.boundary(Limits())


def test_alone_at_all_traffic_the_live_versions_past_is_the_measure():
    bad, good = measure.Evidence(), measure.Evidence()
    for evidence, errors in ((bad, 60), (good, 10)):
        look(step(50), reading(100, 5), reading(100, 5), evidence)
        look(step(100), reading(200, errors), reading(0), evidence)
    assert bad.log_e_errors > measure.boundary(Limits())
    assert good.log_e_errors < 1


def test_each_question_gets_half_of_alpha():
    assert measure.boundary(Limits(alpha=0.02)) == pytest.approx(4.605, abs=1e-3)


@pytest.mark.parametrize(
    ("candidate", "stable", "elapsed", "kind", "says"),
    [
        (reading(0), reading(0), 99, "wait", "50 answers to go"),
        (reading(49), reading(147), 99, "wait", "1 answers to go"),
        (reading(50), reading(150), 5, "wait", "5 s to go"),
        (reading(50), reading(150), 10, "pass", "no worse"),
        (reading(50), reading(50), 10, "wait", "does not fit 25 %"),
        (reading(50, timed=20), reading(150), 10, "wait", "latency"),
        (reading(50, 50, timed=0), reading(150), 10, "fail", "more errors"),
        (reading(50, slow=40), reading(150), 10, "fail", "slower"),
    ],
)
def test_the_verdict(candidate, stable, elapsed, kind, says):
    at, evidence = step(min_seconds=10), measure.Evidence()
    seen = look(at, candidate, stable, evidence, Limits(slow_ms=250))
    verdict = measure.judge(at, seen, Limits(slow_ms=250), elapsed)
    assert verdict.kind == kind
    assert says in verdict.sentence


@pytest.mark.django_db
@pytest.mark.parametrize(("rows", "kept"), [(0, 0), (1, 1), (10, 10), (11, 6), (95, 11)])
def test_samples_are_thinned_evenly_and_keep_the_last(rows, kept):
    rollout = make.RolloutFactory()
    at = RolloutStep.objects.create(rollout=rollout, index=0, weight=100, min_answers=1)
    empty = measure.summary(measure.EMPTY, 250)
    made = RolloutSample.objects.bulk_create(
        RolloutSample(step=at, candidate=empty, stable=empty, log_e_errors=n) for n in range(rows)
    )
    found = selectors.samples(rollout, at_most=10)
    assert len(found) == kept
    assert len(found) <= 11
    if rows:
        assert (found[0], found[-1]) == (made[0], made[-1])
