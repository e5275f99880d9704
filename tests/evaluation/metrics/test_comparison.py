"""Two score vectors: deltas, flips and segments by hand and by references."""

import math

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn import metrics as sk

from evaluation.metrics import comparison as own
from evaluation.metrics.arrays import NotComputable
from evaluation.metrics.segments import MISSING, OTHER, flips_by_segment, group_by


@pytest.fixture(scope="module")
def three():
    generator = np.random.default_rng(8)
    labels = generator.integers(0, 2, 1200)
    shared = labels + generator.normal(0, 1.2, 1200)
    better = shared + generator.normal(0, 0.3, 1200)
    worse = shared + generator.normal(0, 1.5, 1200)
    squash = lambda raw: 1 / (1 + np.exp(0.5 - raw))  # noqa: E731
    return labels, squash(better), squash(worse)


def test_auc_difference_is_paired_and_tighter_than_two_intervals(three):
    labels, better, worse = three

    found, missing = own.binary_deltas(labels, better, worse, threshold=0.5)

    delta = found["auc"]
    assert missing == {}
    assert delta.candidate == pytest.approx(sk.roc_auc_score(labels, better))
    assert delta.difference.value == pytest.approx(
        sk.roc_auc_score(labels, better) - sk.roc_auc_score(labels, worse)
    )
    assert delta.difference.lower95 > 0
    generator = np.random.default_rng(1)
    resampled = []
    for _ in range(600):
        p = generator.integers(0, 1200, 1200)
        resampled.append(
            sk.roc_auc_score(labels[p], better[p]) - sk.roc_auc_score(labels[p], worse[p])
        )
    assert delta.difference.lower95 == pytest.approx(np.quantile(resampled, 0.025), abs=0.006)
    assert delta.difference.upper95 == pytest.approx(np.quantile(resampled, 0.975), abs=0.006)


def test_other_deltas_agree_with_scikit_learn(three):
    labels, better, worse = three
    one, two = better >= 0.5, worse >= 0.6

    found, _ = own.binary_deltas(labels, better, worse, threshold=0.5, baseline_threshold=0.6)

    for name, of in (
        ("accuracy", sk.accuracy_score),
        ("precision", sk.precision_score),
        ("recall", sk.recall_score),
        ("f1", sk.f1_score),
    ):
        assert found[name].candidate == pytest.approx(of(labels, one)), name
        assert found[name].baseline == pytest.approx(of(labels, two)), name
    assert found["log_loss"].candidate == pytest.approx(sk.log_loss(labels, better))
    assert found["brier"].baseline == pytest.approx(sk.brier_score_loss(labels, worse))


def test_the_same_scores_differ_by_exactly_nothing(three):
    labels, better, _ = three

    found, _ = own.binary_deltas(labels, better, better, threshold=0.5)

    for name, delta in found.items():
        assert delta.as_json()["delta"] == delta.as_json()["lower95"] == 0.0, name
    assert own.flips(better, better, threshold=0.5).as_json()["total"] == 0


def test_flips_by_hand():
    changed = own.flips([0.9, 0.2, 0.6, 0.4], [0.4, 0.7, 0.8, 0.1], threshold=0.5)

    assert changed.to_positive.tolist() == [True, False, False, False]
    assert changed.to_negative.tolist() == [False, True, False, False]
    assert changed.as_json()["share"]["value"] == 0.5


def test_tolerance_is_absolute_plus_relative():
    outside = own.outside_tolerance(
        [1.09, 10.5, 2.0], [1.0, 10.0, 2.0], absolute=0.05, relative=0.05
    )

    assert outside.tolist() == [False, False, False]
    assert own.outside_tolerance([1.1, 10.6], [1.0, 10.0], absolute=0.05).tolist() == [True, True]
    with pytest.raises(ValueError, match="not negative"):
        own.outside_tolerance([1], [1], absolute=-1)


def test_absolute_differences_by_hand():
    found = own.absolute_differences([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])

    assert (found["mean"], found["p50"], found["max"]) == (1.0, 1.0, 2.0)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (0, 0, 1.0),
        (1, 5, 2 * (1 + 6) / 64),  # exact: P(X <= 1 of 6), doubled
        (40, 20, float(chi2.sf(19**2 / 60, 1))),
    ],
)
def test_mcnemar_by_hand(b, c, p):
    assert own.mcnemar(b, c) == pytest.approx(p)


def test_mcnemar_counts_who_alone_is_right():
    found = own.mcnemar_of([1, 1, 0, 0], [0.9, 0.9, 0.1, 0.9], [0.9, 0.1, 0.1, 0.1], threshold=0.5)

    assert (found["only_candidate_right"], found["only_baseline_right"]) == (1, 1)


def test_one_class_says_why_there_is_no_delta():
    found, missing = own.binary_deltas([0, 0], [0.1, 0.2], [0.2, 0.1], threshold=0.5)

    assert "accuracy" in found
    assert missing["auc"] == "no row is labelled positive"
    assert missing["precision"] == "one of the two finds no row positive"


def test_regression_deltas():
    found, _ = own.regression_deltas([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], [2.0, 3.0, 5.0])

    assert found["rmse"].as_json()["delta"] == -1.0
    assert found["mae"].difference.value == -1.0
    assert found["mae"].difference.upper95 == -1.0


@pytest.mark.parametrize(
    ("first", "second"), [([0.1], [0.1, 0.2]), ([math.nan], [0.1]), ([0.1], [math.inf])]
)
def test_bad_pairs_are_refused(first, second):
    with pytest.raises(ValueError, match=r"score|candidate"):
        own.pair(first, second)
    with pytest.raises(NotComputable):
        own.pair([], [])


def test_categories_are_groups_and_the_rare_ones_are_together():
    values = ["a"] * 5 + ["b"] * 3 + ["c", "d", None]

    grouping = group_by("letter", values, at_most=2)

    assert grouping.names == ["a", "b", OTHER, MISSING]
    assert grouping.sizes().tolist() == [5, 3, 2, 1]


def test_numbers_become_quantile_bins_and_few_numbers_stay_categories():
    binned = group_by("age", [float(n) for n in range(100)] + [math.nan], bins=4)
    few = group_by("hour", [2, 10, 2, 10, 1])

    assert binned.names == ["≤ 24.75", "24.75 – 49.5", "49.5 – 74.25", "> 74.25", MISSING]
    assert binned.sizes().tolist() == [25, 25, 25, 25, 1]
    assert few.names == ["1", "2", "10"]


def test_flips_by_segment_by_hand_and_small_groups_are_said():
    changed = own.flips([0.9, 0.9, 0.1, 0.1], [0.1, 0.9, 0.9, 0.1], threshold=0.5)

    rows = flips_by_segment(changed, group_by("g", ["x", "x", "y", "y"]), min_rows=3)

    assert [(row["value"], row["to_positive"], row["to_negative"]) for row in rows] == [
        ("x", 1, 0),
        ("y", 0, 1),
    ]
    assert all(row["too_small"] for row in rows)
    assert rows[0]["share"]["value"] == 0.5
