"""Parameters, labels and result shapes."""

import math

import pytest

from common.errors import Invalid
from evaluation import labels, params, results
from evaluation.errors import CannotCompute


def test_parameters_get_their_defaults_and_one_order():
    assert params.parse("fairness", {"groups": ["age"], "threshold": 1}) == {
        "favourable": "positive",
        "groups": ["age"],
        "limit": 0.8,
        "min_group_rows": 30,
        "threshold": 1.0,
    }
    assert params.parse("evaluation", {"max_rows": None}) == {}


@pytest.mark.parametrize(
    ("kind", "raw", "field"),
    [
        ("evaluation", {"groups": ["a"]}, "params.groups"),
        ("evaluation", {"max_rows": 1}, "params.max_rows"),
        ("evaluation", {"max_rows": True}, "params.max_rows"),
        ("evaluation", {"max_rows": 10.5}, "params.max_rows"),
        ("evaluation", {"threshold": math.nan}, "params.threshold"),
        ("evaluation", {"threshold": "high"}, "params.threshold"),
        ("evaluation", {"label_column": "x" * 300}, "params.label_column"),
        ("evaluation", {"label_column": ""}, "params.label_column"),
        ("evaluation", {"positive_label": [1]}, "params.positive_label"),
        ("evaluation", {"positive_label": "y", "label_above": 1}, "params.label_above"),
        ("evaluation", {"task": "multiclass"}, "params.task"),
        ("fairness", {}, "params.groups"),
        ("fairness", {"groups": []}, "params.groups"),
        ("fairness", {"groups": "age"}, "params.groups"),
        ("fairness", {"groups": ["a", "a"]}, "params.groups"),
        ("differential", {"segments": ["s"] * 11}, "params.segments"),
        ("differential", {"tolerance_abs": -1}, "params.tolerance_abs"),
        ("explanation", {"rows": [-1]}, "params.rows"),
        ("explanation", {"background_rows": 31}, "params.background_rows"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(kind, raw, field):
    with pytest.raises(Invalid) as caught:
        params.parse(kind, raw)
    assert list(caught.value.fields) == [field]


def read(raw, **given):
    return labels.read("y", raw, task=given.pop("task", "binary"), params=given)


def test_labels_of_many_spellings():
    found = read([1, 0.0, True, "yes", "No", None, math.nan])

    assert found.values[found.known].tolist() == [1, 0, 1, 1, 0]
    assert found.missing == 2
    assert read(["g", "b"], positive_label="g").values.tolist() == [1, 0]
    assert read([2, 1.0], positive_label=1).values.tolist() == [0, 1]
    assert read([True, False], positive_label="true").values.tolist() == [1, 0]
    above = read([20, 15, 3.5], label_above=15.0)
    assert (above.values.tolist(), above.meaning) == ([1, 0, 0], "y is above 15")


def test_labels_that_mean_nothing_are_refused():
    with pytest.raises(CannotCompute, match="positive_label"):
        read([2, 1])
    with pytest.raises(CannotCompute, match="not a number"):
        read(["a"], label_above=1)
    with pytest.raises(CannotCompute, match="not a number"):
        read([True], task="regression")


def test_results_hold_what_json_holds():
    assert results.plain({"a": -0.0, "b": (1, 2.5), "c": 1e18}) == {
        "a": 0.0,
        "b": [1, 2.5],
        "c": 10**18,
    }
    for bad in (math.nan, math.inf, object()):
        with pytest.raises(ValueError, match="holds no"):
            results.plain({"x": bad})
