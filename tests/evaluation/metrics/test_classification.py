"""Each metric by a sum worked by hand, by scikit-learn, and on input that cannot give it."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from evaluation.metrics import classification as own
from evaluation.metrics.arrays import NotComputable
from evaluation.metrics.auc import auc

# Four rows: the positives score 0.8 and 0.4, the negatives 0.6 and 0.2.
LABELS = [1, 0, 1, 0]
SCORES = [0.8, 0.6, 0.4, 0.2]


@pytest.fixture(scope="module")
def many():
    generator = np.random.default_rng(11)
    scores = np.round(generator.beta(2, 3, 3000), 3)  # rounding makes ties
    labels = (generator.random(3000) < scores).astype(int)
    return labels, scores


def test_auc_of_four_rows_by_hand():
    # of the four pairs (0.8>0.6, 0.8>0.2, 0.4<0.6, 0.4>0.2) three are right
    found = auc(LABELS, SCORES)

    assert found.value == 0.75
    # placements: positives 1, 1/2; negatives 1/2, 1; each sample variance 1/8, over 2 rows
    half = 1.959964 * math.sqrt(1 / 8)
    assert found.lower95 == pytest.approx(0.75 - half, abs=1e-5)
    assert found.upper95 == 1.0


def test_auc_agrees_with_scikit_learn_and_its_interval_with_a_slow_delong(many):
    labels, scores = many

    found = auc(labels, scores)

    assert found.value == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)
    positive, negative = scores[labels == 1], scores[labels == 0]
    psi = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = psi.mean(axis=1).var(ddof=1) / len(positive)
    variance += psi.mean(axis=0).var(ddof=1) / len(negative)
    assert found.upper95 - found.value == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6)


def test_auc_interval_holds_the_truth_in_about_95_of_100_samples():
    generator = np.random.default_rng(2)
    truth = 0.7602  # P(N(1,1) > N(0,1)) = Φ(1/√2)
    held = 0
    for _ in range(300):
        scores = np.concatenate([generator.normal(1, 1, 80), generator.normal(0, 1, 120)])
        found = auc(np.repeat([1, 0], [80, 120]), scores)
        held += found.lower95 <= truth <= found.upper95
    assert 0.91 <= held / 300 <= 0.98


def test_a_perfect_auc_still_has_an_interval():
    found = auc([1, 1, 1, 0, 0, 0], [3, 4, 5, 0, 1, 2])

    assert found.value == found.upper95 == 1.0
    assert found.lower95 == pytest.approx(0.025 ** (1 / 3))


def test_log_loss_and_brier_by_hand():
    # -(ln 0.8 + ln 0.4 + ln 0.4 + ln 0.8) / 4 and (0.04 + 0.36 + 0.36 + 0.04) / 4
    assert own.log_loss(LABELS, SCORES).value == pytest.approx(-(math.log(0.8) + math.log(0.4)) / 2)
    assert own.brier(LABELS, SCORES).value == pytest.approx(0.2)


def test_metrics_agree_with_scikit_learn(many):
    labels, scores = many
    said = scores >= 0.42

    found, missing = own.all_metrics(labels, scores, threshold=0.42, seed=7)

    assert missing == {}
    expected = {
        "auc": sk.roc_auc_score(labels, scores),
        "log_loss": sk.log_loss(labels, scores),
        "brier": sk.brier_score_loss(labels, scores),
        "accuracy": sk.accuracy_score(labels, said),
        "precision": sk.precision_score(labels, said),
        "recall": sk.recall_score(labels, said),
        "f1": sk.f1_score(labels, said),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected, abs=1e-12)
    for name, estimate in found.items():
        assert estimate.lower95 < estimate.value < estimate.upper95, name


def test_confusion_by_hand_counts_the_threshold_itself_as_positive():
    assert own.confusion(LABELS, SCORES, 0.6) == own.Confusion(tp=1, fp=1, tn=1, fn=1)
    assert own.precision(own.Confusion(3, 1, 0, 0)).value == 0.75
    assert own.recall(own.Confusion(3, 0, 0, 1)).value == 0.75
    assert own.f1(own.Confusion(3, 1, 4, 1)).value == 0.75


def test_calibration_table_agrees_with_scikit_learn(many):
    labels, scores = many

    table = own.calibration_table(labels, scores)

    share, mean = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    assert [row["share_positive"] for row in table] == pytest.approx(share)
    assert [row["mean_score"] for row in table] == pytest.approx(mean)
    assert sum(row["rows"] for row in table) == 3000


def test_calibration_error_by_hand_and_of_a_wrong_score():
    # one bin: mean score 0.9, share of positives 0.5
    assert own.calibration_error([1, 0], [0.9, 0.9]).value == pytest.approx(0.4)
    generator = np.random.default_rng(1)
    scores = generator.random(4000)
    labels = generator.random(4000) < scores
    good, bad = own.calibration_error(labels, scores), own.calibration_error(labels, scores**2)
    assert good.upper95 < 0.05
    assert bad.lower95 > 0.1


def test_roc_has_at_most_200_points_and_the_area_of_the_auc(many):
    labels, scores = many

    points = np.array(own.roc_points(labels, scores))

    assert len(points) <= 200
    assert points[0].tolist() == [0, 0]
    assert points[-1].tolist() == [1, 1]
    assert (np.diff(points, axis=0) >= 0).all()
    assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(
        auc(labels, scores).value, abs=2e-3
    )


def test_one_class_gives_what_it_can_and_says_why_not_the_rest():
    found, missing = own.all_metrics([0, 0, 0], [0.1, 0.2, 0.3], threshold=0.5)

    assert set(found) == {"log_loss", "brier", "accuracy", "calibration_error"}
    assert missing["auc"] == "no row is labelled positive"
    assert missing["precision"] == "no row reaches the threshold"


def test_constant_scores_have_an_auc_of_one_half():
    found, _ = own.all_metrics([0, 1, 0, 1], [0.5] * 4, threshold=0.5)

    assert found["auc"].value == 0.5
    assert own.roc_points([0, 1], [0.5, 0.5]) == [[0.0, 0.0], [1.0, 1.0]]
    assert sum(own.histogram([0.5] * 4)["counts"]) == 4


def test_scores_beyond_one_are_no_probabilities_but_rank_all_the_same():
    found, missing = own.all_metrics([0, 1], [-3.0, 7.0], threshold=0.0)

    assert found["auc"].value == 1.0
    assert "not probabilities" in missing["log_loss"]


@pytest.mark.parametrize(
    ("labels", "scores", "error"),
    [
        ([], [], NotComputable),
        ([1, 0], [0.1, math.nan], ValueError),
        ([1, 0], [0.1, math.inf], ValueError),
        ([1, 2], [0.1, 0.2], ValueError),
        ([1, math.nan], [0.1, 0.2], ValueError),
        ([1], [0.1, 0.2], ValueError),
        ([[1, 0]], [[0.1, 0.2]], ValueError),
    ],
)
def test_bad_input_is_refused(labels, scores, error):
    with pytest.raises(error):
        own.all_metrics(labels, scores, threshold=0.5)
    with pytest.raises(error):
        auc(labels, scores)
