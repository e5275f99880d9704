"""Evidence by hand, by simulation, and by laws that hold for all counts."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import analysis
from delivery.analysis import Block, OneSample, TwoSample

ALPHA = 0.01
LINE = math.log(1 / ALPHA)


def draw(chance, answers, rate):
    return sum(chance.random() < rate for _ in range(answers))


def run(chance, candidate, stable, *, looks, per_look=40, share=0.25):
    """The highest evidence over all looks, and the candidate's answers when it crossed the line."""
    test, crossed_at, highest = TwoSample(), None, 0.0
    for _ in range(looks):
        n_c = draw(chance, per_look, share)
        n_s = per_look - n_c
        test.look(Block(n_c, draw(chance, n_c, candidate), n_s, draw(chance, n_s, stable)))
        highest = max(highest, test.log_e)
        if crossed_at is None and test.log_e >= LINE:
            crossed_at = test.candidate
    return highest, crossed_at


def test_the_second_block_by_hand():
    test = TwoSample()
    test.look(Block(10, 2, 10, 0))
    first = test.log_e
    test.look(Block(4, 1, 4, 0))

    guess, other = 2.5 / 20, 0.5 / 20
    pooled = (guess + other) / 2
    by_hand = math.log(guess / pooled) + 3 * math.log((1 - guess) / (1 - pooled))
    by_hand += 4 * math.log((1 - other) / (1 - pooled))
    assert test.log_e - first == pytest.approx(by_hand)


def test_the_first_block_bets_half_the_stake_on_twice_the_rate():
    test = TwoSample()
    test.look(Block(1, 1, 1, 0))

    ratio = (0.10 / 0.075) * (0.95 / 0.925)
    assert test.log_e == pytest.approx(math.log((1 + ratio) / 2))


def test_one_rate_against_a_limit_by_hand():
    test = OneSample()
    test.look(10, 5, 0.1)
    first = test.log_e
    test.look(2, 1, 0.1)

    guess = 5.5 / 15
    assert test.log_e - first == pytest.approx(math.log(guess / 0.1) + math.log((1 - guess) / 0.9))
    assert first == pytest.approx(math.log((1 + (2**5) * ((0.8 / 0.9) ** 5)) / 2))


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1, 2.0])
def test_a_limit_outside_its_range_is_refused(limit):
    with pytest.raises(ValueError, match="limit"):
        OneSample().look(1, 0, limit)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_equal_versions_are_hardly_ever_called_worse_however_often_one_looks(rate):
    chance = random.Random(20261121)
    runs = 400
    alarms = sum(run(chance, rate, rate, looks=100)[1] is not None for _ in range(runs))

    # At most alpha, with three standard errors of this simulation.
    assert alarms / runs <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_a_better_version_is_never_called_worse():
    chance = random.Random(7)
    assert all(run(chance, 0.01, 0.05, looks=100)[1] is None for _ in range(100))


def test_a_rise_from_one_to_five_percent_is_always_found():
    chance = random.Random(11)
    found = [run(chance, 0.05, 0.01, looks=150)[1] for _ in range(200)]

    assert sum(at is not None for at in found) >= 198
    assert sorted(at or 10**6 for at in found)[100] < 400  # the median, in answers


def test_a_version_that_only_fails_is_found_within_a_few_answers():
    chance = random.Random(13)
    assert max(run(chance, 1.0, 0.01, looks=30, per_look=8)[1] for _ in range(50)) <= 20


@pytest.mark.parametrize(("candidate", "stable"), [(0.05, 0.05), (0.02, 0.02), (0.02, 0.05)])
def test_the_evidence_is_a_supermartingale_under_no_worse(candidate, stable):
    """Its mean stays at or below 1 at every look, so that stopping early cannot be gamed."""
    chance = random.Random(17)
    runs, looks = 4000, 6
    sums = [0.0] * looks
    squares = [0.0] * looks
    for _ in range(runs):
        test = TwoSample()
        for look in range(looks):
            test.look(Block(6, draw(chance, 6, candidate), 6, draw(chance, 6, stable)))
            value = math.exp(test.log_e)
            sums[look] += value
            squares[look] += value * value
    for total, square in zip(sums, squares, strict=True):
        mean = total / runs
        error = math.sqrt(max(square / runs - mean**2, 0) / runs)
        assert mean <= 1 + 3 * error


def test_the_evidence_against_a_limit_is_a_supermartingale_too():
    chance = random.Random(19)
    runs = 4000
    values = []
    for _ in range(runs):
        test = OneSample()
        for _ in range(5):
            test.look(8, draw(chance, 8, 0.05), 0.05)
        values.append(math.exp(test.log_e))
    mean = sum(values) / runs
    error = math.sqrt(sum((v - mean) ** 2 for v in values) / runs / runs)
    assert mean <= 1 + 3 * error


@st.composite
def blocks(draw_value):
    n_c, n_s = draw_value(st.integers(0, 50)), draw_value(st.integers(0, 50))
    return Block(n_c, draw_value(st.integers(0, n_c)), n_s, draw_value(st.integers(0, n_s)))


@given(st.lists(blocks(), max_size=20))
def test_counts_add_up_and_evidence_is_finite(made):
    test = TwoSample()
    for block in made:
        test.look(block)
    assert test.candidate == sum(b.candidate for b in made)
    assert test.stable_bad == sum(b.stable_bad for b in made)
    assert math.isfinite(test.log_e)


@given(st.lists(blocks(), max_size=20), blocks())
def test_a_block_with_one_arm_tells_nothing(made, last):
    test = TwoSample()
    for block in made:
        test.look(block)
    before = test.log_e
    test.look(Block(last.candidate, last.candidate_bad, 0, 0))
    assert test.log_e == before


@given(st.lists(blocks(), min_size=1, max_size=10), st.integers(0, 9))
def test_one_more_bad_answer_of_the_candidate_is_never_less_evidence_in_its_block(made, at):
    """Judged by the past alone, so the last block's likelihood ratio rises with its bad ones."""
    *past, last = made
    if not last.candidate or last.candidate_bad == last.candidate:
        return
    fewer, more = TwoSample(), TwoSample()
    for block in past:
        fewer.look(block)
        more.look(block)
    fewer.look(last)
    more.look(Block(last.candidate, last.candidate_bad + 1, last.stable, last.stable_bad))
    assert more.log_e >= fewer.log_e - 1e-12


@given(st.floats(-500, 500), st.floats(-500, 500))
def test_the_mean_of_two_e_values_lies_between_them(a, b):
    mean = analysis.log_mean_exp(a, b)
    assert min(a, b) - 1e-9 <= mean <= max(a, b) + 1e-9
    assert mean >= max(a, b) - math.log(2) - 1e-9


def test_wilson_is_the_textbook_interval():
    low, high = analysis.wilson(1, 20)
    assert (low, high) == (pytest.approx(0.00888, abs=1e-4), pytest.approx(0.2361, abs=1e-3))
    assert analysis.wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share_and_stays_inside(bad, answers):
    bad = min(bad, answers)
    low, high = analysis.wilson(bad, answers)
    assert 0 <= low <= bad / answers + 1e-9
    assert bad / answers - 1e-9 <= high <= 1


@pytest.mark.parametrize(
    ("candidate", "total", "wanted", "fits"),
    [(0, 0, 0.25, True), (100, 400, 0.25, True), (200, 400, 0.25, False), (0, 400, 0.25, False),
     (1, 2, 0.25, True), (400, 400, 1.0, True), (390, 400, 1.0, False)],
)  # fmt: skip
def test_a_share_is_judged_by_binomial_bounds(candidate, total, wanted, fits):
    assert analysis.share_is_plausible(candidate, total, wanted) is fits


def test_answers_needed_is_the_textbook_size():
    by_hand = ((1.6449 * math.sqrt(0.01 * 0.99) + 0.8416 * math.sqrt(0.05 * 0.95)) / 0.04) ** 2
    assert analysis.answers_needed(0.01, 0.05) == math.ceil(by_hand)
    for wrong in [(0.05, 0.01), (0.0, 0.1), (0.1, 1.0), (0.1, 0.1)]:
        with pytest.raises(ValueError, match="need"):
            analysis.answers_needed(*wrong)


@pytest.mark.parametrize(
    ("buckets", "q", "value"),
    [
        ([], 0.5, None),
        ([(10, 0)], 0.5, None),
        ([(10, 10)], 0.5, 5.0),
        ([(10, 10), (20, 20)], 0.75, 15.0),
        ([(10, 0), (20, 4), (50, 4)], 1.0, 20.0),
        ([(10, 5), (20, 5), (30, 10)], 0.6, 22.0),
    ],
)
def test_a_quantile_is_linear_in_its_bucket(buckets, q, value):
    assert analysis.quantile_ms(buckets, q) == (None if value is None else pytest.approx(value))
