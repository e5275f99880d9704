"""Distances by hand and against SciPy; going missing, one outlier and small samples."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from scipy.spatial import distance as scipy_distance

from monitoring.drift import (
    benjamini_hochberg,
    chi_square_p,
    compare,
    jensen_shannon,
    ks,
    psi,
    psi_interval,
    wasserstein,
)
from monitoring.drift.ks import share_p
from monitoring.drift.psi import coarsen
from monitoring.profiles import CategoricalProfile, CategoricalSpec
from monitoring.profiles import NumericProfile as Numeric
from monitoring.profiles import NumericSpec as Spec


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def compared(before: np.ndarray, after: np.ndarray):
    spec = Spec.from_reference(before)
    return compare(Numeric.of(before, spec), Numeric.of(after, spec), spec)


def test_psi_by_hand():
    # 101 of 202 and 101 of 202 before; 51.5 of 103 … after smoothing by half a row a bin
    before, after = ints(100, 100), ints(50, 150)
    p, q = np.array([100.5, 100.5]) / 201, np.array([50.5, 150.5]) / 201
    wanted = sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert psi(before, after) == pytest.approx(wanted)
    assert psi(before, before) == 0.0
    assert psi(before, ints(0, 0)) == 0.0


def test_an_empty_bin_does_not_make_psi_infinite():
    assert math.isfinite(psi(ints(100, 0), ints(0, 100)))


def test_psis_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(3)
    p, q = np.full(10, 0.1), np.linspace(0.06, 0.14, 10)
    true = float(((p - q) * np.log(p / q)).sum())
    inside = 0
    for _ in range(400):
        low, high = psi_interval(generator.multinomial(3000, p), generator.multinomial(3000, q))
        inside += low <= true <= high
    assert inside / 400 > 0.9


def test_coarsening_keeps_every_row():
    before = ints(*range(1, 257))
    after = ints(*reversed(range(1, 257)))
    small, moved = coarsen(before, after)
    assert (small.sum(), moved.sum()) == (before.sum(), after.sum())
    assert small.size <= 10
    assert small[:-1].max() < 1.2 * small[:-1].min()
    assert coarsen(ints(1, 2), ints(3, 4))[0].tolist() == [1, 2]


def test_a_column_of_mostly_zeros_is_not_one_bin_of_everything():
    """Rain: nearly all rows 0, and 40 other values. Joined by cumulative shares it never drifts."""
    generator = np.random.default_rng(0)
    rain = np.round(generator.exponential(1, 9000), 1)
    before = np.where(generator.random(9000) < 0.97, 0.0, rain)
    after = np.where(generator.random(9000) < 0.7, 0.0, rain)
    assert compared(before, after).psi > 0.5
    assert compared(before, before).psi == 0.0
    below = np.where(generator.random(9000) < 0.2, -1.0, before)
    assert compared(before, below).psi > 0.5


def test_jensen_shannon_is_scipys():
    p, q = ints(5, 20, 0, 75), ints(25, 25, 25, 25)
    assert jensen_shannon(p, q) == pytest.approx(
        scipy_distance.jensenshannon(p / p.sum(), q / q.sum(), base=2)
    )
    assert jensen_shannon(ints(1, 0), ints(0, 1)) == pytest.approx(1.0)
    assert jensen_shannon(p, ints(0, 0, 0, 0)) == 0.0


def test_ks_is_scipys_on_the_reference_edges():
    generator = np.random.default_rng(0)
    before, after = generator.normal(size=5000), generator.normal(0.1, 1, 4000)
    spec = Spec.from_reference(before)
    found, p = ks(Numeric.of(before, spec).bins, Numeric.of(after, spec).bins)
    exact = stats.ks_2samp(before, after, method="asymp")
    assert found == pytest.approx(exact.statistic, abs=0.006)
    assert p == pytest.approx(exact.pvalue, abs=0.05)
    assert ks(ints(1, 2), ints(0, 0)) == (0.0, 1.0)


def test_wasserstein_by_hand_and_by_scipy():
    values = np.array([0.0, 1.0, 3.0])
    before, after = ints(1, 1, 0), ints(0, 1, 1)
    assert wasserstein(before, after, values) == pytest.approx(
        stats.wasserstein_distance(values, values, before, after)
    )
    assert wasserstein(before, before, values) == 0.0
    # spread: [0, 1] lies evenly, so the crossing triangles count half
    assert wasserstein(ints(0, 1, 0), ints(1, 0, 0), values, spread=True) == pytest.approx(0.5)
    generator = np.random.default_rng(1)
    a, b = generator.normal(50, 10, 20_000), generator.normal(60, 10, 20_000)
    assert compared(a, b).wasserstein == pytest.approx(stats.wasserstein_distance(a, b), rel=0.02)


def test_chi_square_is_scipys_and_joins_small_categories():
    before, after = ints(500, 300, 200), ints(450, 350, 200)
    table = np.stack([before, after])
    wanted = stats.chi2_contingency(table, correction=False).pvalue
    assert chi_square_p(before, after) == pytest.approx(wanted)
    joined = stats.chi2_contingency([[500, 40], [400, 60]], correction=False).pvalue
    assert chi_square_p(ints(500, 20, 20), ints(400, 30, 30), 30) == pytest.approx(joined)
    assert chi_square_p(ints(0, 0), ints(1, 2)) == 1.0


def test_a_single_odd_row_is_no_drift_but_many_are():
    """χ² alone would say p < 1e-40 of one new value in a hundred rows."""
    assert chi_square_p(ints(20_000, 0), ints(99, 1)) > 0.005
    assert chi_square_p(ints(20_000, 0), ints(60, 40)) < 1e-6
    assert chi_square_p(ints(20_000, 0), ints(0, 100)) < 1e-6
    assert share_p((0, 0), (1, 2)) == 1.0


def test_benjamini_hochberg_is_scipys():
    generator = np.random.default_rng(5)
    values = np.concatenate([generator.random(20), generator.random(5) / 1000])
    adjusted = stats.false_discovery_control(values, method="bh")
    assert benjamini_hochberg(values.tolist()) == (adjusted <= 0.05).tolist()
    assert benjamini_hochberg([]) == []
    assert benjamini_hochberg([0.05]) == [True]


def test_one_outlier_does_not_hide_a_shift():
    """MONITORING 3.1: one corrupt value makes Evidently's PSI of a 1 σ shift fall to .022."""
    generator = np.random.default_rng(0)
    before, after = generator.normal(size=20_000), generator.normal(1, 1, 20_000)
    after[0] = 1e6
    found = compared(before, after)
    assert found.psi > 0.8
    assert found.p_value < 1e-6


def test_going_missing_is_drift():
    """MONITORING 3.1: 90 % nulls are no drift to Evidently."""
    generator = np.random.default_rng(0)
    before = generator.normal(size=5000)
    after = np.where(generator.random(5000) < 0.9, np.nan, generator.normal(size=5000))
    found = compared(before, after)
    assert found.psi > 1
    assert found.p_value < 1e-6


@pytest.mark.parametrize("hopeless", [np.nan, np.inf, -np.inf])
def test_a_column_of_nothing_but_nulls_or_infinities_is_drift_not_a_crash(hopeless):
    before = np.random.default_rng(0).normal(size=1000)
    found = compared(before, np.full(1000, hopeless))
    assert found.psi > 1
    assert found.p_value < 1e-6
    assert found.wasserstein == 0.0


def test_no_rows_say_nothing():
    found = compared(np.array([1.0, 2.0]), np.array([]))
    assert (found.psi, found.js, found.p_value) == (0.0, 0.0, 1.0)


def test_no_drift_in_a_small_sample_is_rarely_significant():
    """MONITORING 3.1: of 20 stable columns Evidently flags 13 with 100 rows."""
    generator = np.random.default_rng(0)
    before = generator.normal(size=20_000)
    spec = Spec.from_reference(before)
    reference = Numeric.of(before, spec)
    alarms = 0
    for _ in range(100):
        rows = [Numeric.of(generator.normal(size=100), spec) for _ in range(20)]
        p_values = [compare(reference, row, spec).p_value for row in rows]
        alarms += any(benjamini_hochberg(p_values))
    assert alarms <= 12


def test_new_categories_are_drift():
    spec = CategoricalSpec.from_reference(pa.array(["a"] * 500 + ["b"] * 500))
    before = CategoricalProfile.of(pa.array(["a"] * 500 + ["b"] * 500), spec)
    after = CategoricalProfile.of(pa.array(["a"] * 300 + ["b"] * 300 + ["new"] * 400), spec)
    found = compare(before, after, spec)
    assert found.psi > 0.25
    assert found.p_value < 1e-6
    assert (found.ks, found.wasserstein) == (None, None)


def test_profiles_of_different_kinds_cannot_be_compared():
    spec = Spec(np.array([1.0]))
    numeric = Numeric.of(np.array([1.0]), spec)
    text = CategoricalProfile.empty(CategoricalSpec(("a",), frozenset()))
    with pytest.raises(TypeError):
        compare(numeric, text, spec)
    with pytest.raises(ValueError, match="same"):
        psi(ints(1), ints(1, 2))
