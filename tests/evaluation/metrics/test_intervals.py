"""Intervals by hand, by scipy, and by how often they hold what they should."""

import numpy as np
import pytest
from scipy.stats import binomtest

from evaluation.metrics.arrays import NotComputable
from evaluation.metrics.intervals import (
    Estimate,
    bootstrap_bins,
    bootstrap_counts,
    mean_influence,
    ratio_influence,
    wilson,
)


def test_wilson_of_eight_in_ten_by_hand():
    # centre (0.8 + 1.96²/20) / (1 + 1.96²/10) = 0.7167; half = 0.2267
    found = wilson(8, 10)

    assert found.value == 0.8
    assert found.lower95 == pytest.approx(0.4902, abs=1e-4)
    assert found.upper95 == pytest.approx(0.9433, abs=1e-4)


@pytest.mark.parametrize(("successes", "trials"), [(0, 12), (12, 12), (1, 3), (300, 1000)])
def test_wilson_agrees_with_scipy(successes, trials):
    reference = binomtest(successes, trials).proportion_ci(0.95, method="wilson")

    found = wilson(successes, trials)

    assert (found.lower95, found.upper95) == pytest.approx(
        (reference.low, reference.high), abs=1e-9
    )


def test_wilson_refuses_nothing_and_nonsense():
    with pytest.raises(NotComputable):
        wilson(0, 0)
    with pytest.raises(ValueError, match="between 0 and trials"):
        wilson(5, 4)


def test_mean_interval_by_hand():
    # mean 2.5, sample variance 5/3, standard error sqrt(5/12) = 0.6455
    found = mean_influence(np.array([1.0, 2.0, 3.0, 4.0])).estimate()

    assert found.value == 2.5
    assert found.upper95 - found.value == pytest.approx(1.959964 * np.sqrt(5 / 12), rel=1e-6)


def test_one_row_has_no_spread_and_no_row_no_mean():
    assert mean_influence(np.array([3.0])).estimate() == Estimate(3.0, 3.0, 3.0)
    with pytest.raises(NotComputable):
        mean_influence(np.array([]))


def test_ratio_interval_matches_a_bootstrap_of_rows():
    generator = np.random.default_rng(5)
    bottom = generator.integers(0, 2, 800).astype(float)
    top = bottom * generator.integers(0, 2, 800)

    found = ratio_influence(top, bottom, empty="none").estimate()

    picked = generator.integers(0, 800, (2000, 800))
    values = top[picked].sum(axis=1) / bottom[picked].sum(axis=1)
    assert found.lower95 == pytest.approx(np.quantile(values, 0.025), abs=0.008)
    assert found.upper95 == pytest.approx(np.quantile(values, 0.975), abs=0.008)
    with pytest.raises(NotComputable, match="none at all"):
        ratio_influence(top, np.zeros(800), empty="none at all")


def test_bootstrap_of_counts_is_seeded_and_matches_wilson():
    def share(cells):
        return cells[:, 0] / cells.sum(axis=1)

    first = bootstrap_counts((300, 700), share, seed=3)

    assert first == bootstrap_counts((300, 700), share, seed=3)
    assert first != bootstrap_counts((300, 700), share, seed=4)
    assert first.value == 0.3
    assert first.lower95 == pytest.approx(wilson(300, 1000).lower95, abs=0.005)
    with pytest.raises(NotComputable):
        bootstrap_counts((0, 0), share, seed=0)


def test_basic_bootstrap_holds_the_value_and_stays_above_zero():
    bins = np.repeat([0, 1], 50)
    values = np.random.default_rng(0).normal(0, 1, 100)

    found = bootstrap_bins(bins, values, lambda rows, sums: np.abs(sums).sum(axis=1) / 100, seed=1)

    assert 0.0 <= found.lower95 <= found.value <= found.upper95
    with pytest.raises(NotComputable):
        bootstrap_bins(np.array([], int), np.array([]), lambda rows, sums: sums, seed=1)


def test_drawing_sums_agrees_with_drawing_rows():
    generator = np.random.default_rng(3)
    bins = generator.integers(0, 10, 6000)
    values = generator.normal(0.02 * bins, 0.4)

    def of(rows, sums):
        return np.abs(sums).sum(axis=1) / rows.sum(axis=1)

    by_rows = bootstrap_bins(bins, values, of, seed=1, many=10_000)
    by_sums = bootstrap_bins(bins, values, of, seed=1, many=1)

    assert by_sums.value == by_rows.value
    assert by_sums.lower95 == pytest.approx(by_rows.lower95, abs=0.002)
    assert by_sums.upper95 == pytest.approx(by_rows.upper95, abs=0.002)
