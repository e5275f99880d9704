"""Performance with labels and without; the rules as pure verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sklearn import metrics as sklearn

from monitoring.metrics.estimate import SCORE_BINS, Calibration, estimate, threshold_edge
from monitoring.metrics.realised import realised
from monitoring.profiles import NumericProfile, NumericSpec
from monitoring.rules import ColumnFact, Condition, WindowFact, episodes, judge

THRESHOLD = 0.4


def scored(rows: int, seed: int, a: float = 2, b: float = 5) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated scores and their labels; ``a`` and ``b`` shift the scores, not their meaning."""
    generator = np.random.default_rng(seed)
    scores = generator.beta(a, b, rows)
    return scores, (generator.random(rows) < scores).astype(float)


@pytest.fixture(scope="module")
def calibrated() -> tuple[NumericSpec, Calibration]:
    return calibrate(0)


def calibrate(seed: int) -> tuple[NumericSpec, Calibration]:
    scores, labels = scored(9000, seed)
    spec = NumericSpec.from_reference(
        scores, SCORE_BINS, also=(threshold_edge(THRESHOLD),), tails=0
    )
    return spec, Calibration.of(scores, labels, spec.edges, THRESHOLD)


def test_realised_figures_are_scikit_learns():
    scores, labels = scored(2000, seed=1)
    found = realised(scores, labels, THRESHOLD)
    wanted = {
        "auc": sklearn.roc_auc_score(labels, scores),
        "accuracy": sklearn.accuracy_score(labels, scores >= THRESHOLD),
        "log_loss": sklearn.log_loss(labels, scores),
        "brier": sklearn.brier_score_loss(labels, scores),
        "base_rate": labels.mean(),
    }
    for name, value in wanted.items():
        assert found[name]["value"] == pytest.approx(value), name
        assert found[name]["lower95"] < value < found[name]["upper95"]


def test_what_labels_cannot_say_is_left_out():
    assert realised(np.array([]), np.array([]), 0.5) == {}
    one_class = realised(np.array([0.2, 0.7]), np.array([1.0, 1.0]), 0.5)
    assert "auc" not in one_class
    assert one_class["accuracy"]["value"] == 0.5
    assert "log_loss" not in realised(np.array([2.0, -1.0]), np.array([1.0, 0.0]), 0.5)


def test_on_the_reference_itself_the_estimate_is_the_realised_value(calibrated):
    spec, calibration = calibrated
    scores, labels = scored(9000, seed=0)
    found = estimate(calibration, NumericProfile.of(scores, spec).bins)
    real = realised(scores, labels, THRESHOLD)
    for name in ("auc", "accuracy", "brier", "log_loss", "base_rate"):
        assert found[name]["value"] == pytest.approx(real[name]["value"], abs=0.002), name


def test_under_covariate_shift_the_interval_holds_the_realised_value():
    """Twenty references and shifted windows: a 95 % interval misses few, for every metric."""
    missed = dict.fromkeys(("auc", "accuracy", "brier", "log_loss", "base_rate"), 0)
    for seed in range(20):
        spec, calibration = calibrate(seed)
        scores, labels = scored(3000, seed=100 + seed, a=3, b=4)
        found = estimate(calibration, NumericProfile.of(scores, spec).bins)
        real = realised(scores, labels, THRESHOLD)
        for name in missed:
            value = real[name]["value"]
            missed[name] += not found[name]["lower95"] <= value <= found[name]["upper95"]
    assert max(missed.values()) <= 3, missed


def test_an_estimate_is_the_same_twice_and_survives_json(calibrated):
    spec, calibration = calibrated
    counts = NumericProfile.of(scored(500, seed=5)[0], spec).bins
    again = Calibration.from_json(calibration.as_json())
    assert estimate(calibration, counts) == estimate(again, counts)


def test_there_is_no_estimate_from_nothing(calibrated):
    spec, calibration = calibrated
    assert estimate(calibration, np.zeros_like(calibration.rows)) == {}
    empty = Calibration.of(np.array([0.5]), np.array([np.nan]), spec.edges, THRESHOLD)
    assert estimate(empty, calibration.rows) == {}


def test_scores_that_are_no_probabilities_give_no_log_loss():
    scores = np.random.default_rng(0).normal(size=500)
    labels = (scores > 0).astype(float)
    spec = NumericSpec.from_reference(scores, SCORE_BINS)
    calibration = Calibration.of(scores, labels, spec.edges, 0.0)
    found = estimate(calibration, NumericProfile.of(scores, spec).bins)
    assert {"auc", "accuracy"} <= found.keys()
    assert "log_loss" not in found


# rules


def window(index: int, *, psi: float = 0.0, significant: bool = True, **fields) -> WindowFact:
    return WindowFact(
        key=index,
        start=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=index),
        rows=fields.get("rows", 1000),
        labelled=fields.get("labelled", 0),
        drift=(ColumnFact("a", psi, significant), ColumnFact("b", 0.01, True)),
        realised=fields.get("realised", {}),
    )


DRIFT = Condition("drift", "psi", 0.1, k=2, n=3, min_rows=200)
AUC = Condition("performance", "auc", 0.65, k=2, n=3, min_rows=200)


def alarms(condition: Condition, windows: list[WindowFact]) -> list[int]:
    return [verdict.key for verdict in judge(condition, windows) if verdict.alarms]


def test_drift_needs_effect_and_significance_in_two_of_three():
    calm, moved = {"psi": 0.05}, {"psi": 0.2}
    assert alarms(DRIFT, [window(0, **moved), window(1, **calm), window(2, **calm)]) == []
    assert alarms(DRIFT, [window(0, **moved), window(1, **calm), window(2, **moved)]) == [2]
    insignificant = [window(i, psi=0.2, significant=False) for i in range(3)]
    assert alarms(DRIFT, insignificant) == []
    assert alarms(DRIFT, [window(0, psi=0.1), window(1, psi=0.1)]) == []


def test_a_window_that_does_not_cross_never_alarms():
    """Two of three have crossed, but not the newest: it would be late news."""
    assert alarms(DRIFT, [window(0, psi=0.2), window(1, psi=0.2), window(2)]) == [1]


def test_small_windows_are_passed_over():
    rows = [window(0, psi=0.2), window(1, psi=0.2, rows=199), window(2, psi=0.2)]
    verdicts = judge(DRIFT, rows)
    assert [verdict.key for verdict in verdicts] == [0, 2]
    assert verdicts[-1].alarms


def test_a_score_crosses_at_or_below_and_a_loss_at_or_above():
    def labelled(index: int, **realised: float) -> WindowFact:
        return window(index, labelled=500, realised=realised)

    assert alarms(AUC, [labelled(0, auc=0.65), labelled(1, auc=0.6500001), labelled(2, auc=0.6)])
    loss = Condition("performance", "log_loss", 0.5, k=1, n=1, min_rows=200)
    assert alarms(loss, [labelled(0, log_loss=0.5), labelled(1, log_loss=0.499)]) == [0]
    assert judge(AUC, [window(0, labelled=199, realised={"auc": 0.1}), window(1)]) == []


def test_episodes_begin_once_and_end_with_a_calm_window():
    rows = [window(i, psi=0.2 if i in (0, 1, 2, 4, 5, 6) else 0.0) for i in range(7)]
    assert [verdict.key for verdict in episodes(judge(DRIFT, rows))] == [1, 4]
