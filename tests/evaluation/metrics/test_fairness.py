"""Fairness by hand and by Fairlearn."""

import warnings

import numpy as np
import pytest
from fairlearn import metrics as fl
from sklearn.metrics import roc_auc_score

from evaluation.metrics.arrays import NotComputable
from evaluation.metrics.fairness import by_column, rate_ratio
from evaluation.metrics.segments import group_by


@pytest.fixture(scope="module")
def people():
    generator = np.random.default_rng(21)
    group = generator.choice(["a", "b", "c"], 900, p=[0.5, 0.3, 0.2])
    deserved = generator.random(900) < 0.6
    scores = deserved + generator.normal(0, 1, 900) - 0.5 * (group == "c")
    return list(group), deserved, scores


def test_agrees_with_fairlearn(people):
    group, deserved, scores = people
    favoured = scores >= 0.3

    found = by_column(group_by("g", group), favoured=favoured, deserved=deserved, scores=scores)

    frame = fl.MetricFrame(
        metrics={
            "selection_rate": fl.selection_rate,
            "tpr": fl.true_positive_rate,
            "fpr": fl.false_positive_rate,
        },
        y_true=deserved.astype(int),
        y_pred=favoured.astype(int),
        sensitive_features=group,
    ).by_group
    for row in found.groups:
        expected = frame.loc[row["value"]]
        for name in ("selection_rate", "tpr", "fpr"):
            assert row[name]["value"] == pytest.approx(expected[name]), name
        mine = np.array(group) == row["value"]
        assert row["auc"]["value"] == pytest.approx(roc_auc_score(deserved[mine], scores[mine]))
    truth, said = deserved.astype(int), favoured.astype(int)
    assert found.selection_rate_ratio["value"] == pytest.approx(
        fl.demographic_parity_ratio(truth, said, sensitive_features=group)
    )
    odds = found.equalized_odds_difference
    assert odds["value"] == pytest.approx(
        fl.equalized_odds_difference(truth, said, sensitive_features=group)
    )
    assert odds["lower95"] < odds["value"] < odds["upper95"]
    assert found.selection_rate_ratio["worst_group"] == "c"


def test_rate_ratio_by_hand():
    # 30 of 100 against 60 of 100: log-scale variance 0.7/30 + 0.4/60 = 0.03
    found = rate_ratio(30, 100, 60, 100)

    assert found.value == 0.5
    assert found.lower95 == pytest.approx(0.5 * np.exp(-1.959964 * np.sqrt(0.03)), rel=1e-6)
    assert found.upper95 == pytest.approx(0.5 * np.exp(1.959964 * np.sqrt(0.03)), rel=1e-6)


def test_rate_ratio_at_the_ends():
    nobody = rate_ratio(0, 50, 25, 50)
    everybody = rate_ratio(50, 50, 50, 50)

    assert nobody.value == nobody.lower95 - nobody.lower95 == 0.0
    assert 0 < nobody.upper95 < 0.5
    assert everybody.lower95 < everybody.value == 1.0 < everybody.upper95
    with pytest.raises(NotComputable, match="nobody"):
        rate_ratio(0, 50, 0, 50)
    with pytest.raises(NotComputable, match="empty"):
        rate_ratio(0, 0, 1, 2)


def test_interval_of_the_ratio_holds_the_truth_in_about_95_of_100_samples():
    generator = np.random.default_rng(3)
    first, second = generator.binomial(200, 0.3, 500), generator.binomial(300, 0.5, 500)

    ratios = [rate_ratio(int(a), 200, int(b), 300) for a, b in zip(first, second, strict=True)]
    held = [found.lower95 <= 0.6 <= found.upper95 for found in ratios]

    assert 0.92 <= np.mean(held) <= 0.98


def test_small_groups_are_listed_not_judged(people):
    group = ["x"] * 50 + ["y"] * 50 + ["z"] * 3
    favoured = np.array([True] * 25 + [False] * 25 + [True] * 50 + [False] * 3)

    found = by_column(group_by("g", group), favoured=favoured, deserved=None, min_rows=30)

    assert found.too_small == [{"column": "g", "value": "z", "rows": 3}]
    assert found.selection_rate_ratio["value"] == 0.5
    assert found.not_computed == {"equalized_odds_difference": "there are no labels"}


def test_one_group_alone_cannot_be_compared():
    found = by_column(group_by("g", ["x"] * 40), favoured=np.ones(40, bool), deserved=None)

    assert found.selection_rate_ratio is None
    assert found.not_computed["selection_rate_ratio"] == "fewer than two groups have 30 rows"


def test_a_group_of_one_class_says_why_odds_cannot_be_computed():
    group = ["x"] * 40 + ["y"] * 40
    deserved = np.array([True] * 40 + [True] * 20 + [False] * 20)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = by_column(
            group_by("g", group), favoured=np.ones(80, bool), deserved=deserved, scores=np.zeros(80)
        )

    assert found.selection_rate_ratio["value"] == 1.0
    assert found.not_computed["equalized_odds_difference"] == "x has no row labelled unfavourable"
    assert found.groups[0]["auc"] is None
    assert found.groups[0]["fpr"] is None
