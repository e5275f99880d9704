"""RMSE, MAE and R² by hand, by scikit-learn, and on input that cannot give them."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from evaluation.metrics import regression as own
from evaluation.metrics.arrays import NotComputable


def test_by_hand():
    # errors 1, -1, 2; squares sum to 6; the truth's squares around 2 sum to 2
    truth, predicted = [1.0, 2.0, 3.0], [2.0, 1.0, 5.0]

    assert own.rmse(truth, predicted).value == pytest.approx(math.sqrt(2))
    assert own.mae(truth, predicted).value == pytest.approx(4 / 3)
    assert own.r2(truth, predicted).value == pytest.approx(1 - 6 / 2)


def test_against_scikit_learn_and_a_bootstrap():
    generator = np.random.default_rng(4)
    truth = generator.normal(10, 3, 1500)
    predicted = truth + generator.standard_t(6, 1500)

    found, missing = own.all_metrics(truth, predicted)

    assert missing == {}
    assert found["rmse"].value == pytest.approx(sk.root_mean_squared_error(truth, predicted))
    assert found["mae"].value == pytest.approx(sk.mean_absolute_error(truth, predicted))
    assert found["r2"].value == pytest.approx(sk.r2_score(truth, predicted))
    picked = generator.integers(0, 1500, (1000, 1500))
    resampled = [sk.r2_score(truth[p], predicted[p]) for p in picked]
    assert found["r2"].lower95 == pytest.approx(np.quantile(resampled, 0.025), abs=0.006)
    assert found["r2"].upper95 == pytest.approx(np.quantile(resampled, 0.975), abs=0.006)


def test_constant_truth_has_no_r2_but_the_others():
    found, missing = own.all_metrics([2.0, 2.0], [1.0, 2.0])

    assert set(found) == {"rmse", "mae"}
    assert missing == {"r2": "every label is the same"}


def test_perfect_predictions():
    found, _ = own.all_metrics([1.0, 2.0], [1.0, 2.0])

    assert (found["rmse"].value, found["mae"].value, found["r2"].value) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("truth", "predicted", "error"),
    [
        ([], [], NotComputable),
        ([1.0], [math.nan], ValueError),
        ([math.nan], [1.0], ValueError),
        ([1.0, 2.0], [1.0], ValueError),
    ],
)
def test_bad_input_is_refused(truth, predicted, error):
    with pytest.raises(error):
        own.rmse(truth, predicted)
    with pytest.raises(error):
        own.r2(truth, predicted)
