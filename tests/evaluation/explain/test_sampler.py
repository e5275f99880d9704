"""SHAP values: exact where they can be, near shap's exact ones elsewhere, within budget."""

import numpy as np
import pytest

from evaluation.explain import background as backgrounds
from evaluation.explain.sampler import (
    BudgetTooSmall,
    as_shap_explanation,
    explain,
    global_importance,
)


def table(values, columns):
    return [dict(zip(columns, map(float, row), strict=True)) for row in values]


def as_array(rows):
    return np.array([list(row.values()) for row in rows], dtype=float)


class Counting:
    """A model that remembers what it was asked."""

    def __init__(self, function):
        self.function = function
        self.rows = 0
        self.calls = 0

    def __call__(self, rows):
        self.calls += 1
        self.rows += len(rows)
        return np.array([self.function(row) for row in rows])


def test_an_additive_function_is_explained_exactly():
    # f = 2a - 3b + c: each value is coefficient times distance from the background's mean
    model = Counting(lambda row: 2 * row["a"] - 3 * row["b"] + row["c"])
    rows = [{"a": 1.0, "b": 2.0, "c": 3.0}]
    background = [{"a": 0.0, "b": 0.0, "c": 0.0}, {"a": 2.0, "b": 2.0, "c": 0.0}]

    found = explain(model, rows, background, ["a", "b", "c"])

    assert found.values[0] == pytest.approx([0.0, -3.0, 3.0])
    assert found.base_value == pytest.approx(-1.0)
    assert found.errors.max() == 0.0
    assert found.additivity_error < 1e-12


def test_an_additive_function_of_many_features_has_no_sampling_error():
    generator = np.random.default_rng(0)
    columns = [f"f{n}" for n in range(14)]
    weights = generator.normal(size=14)
    rows, background = generator.normal(size=(3, 14)), generator.normal(size=(5, 14))
    model = Counting(lambda row: float(weights @ np.array(list(row.values()))))

    found = explain(model, table(rows, columns), table(background, columns), columns, seed=3)

    assert found.values == pytest.approx(weights * (rows - background.mean(axis=0)), abs=1e-9)
    assert found.errors.max() < 1e-9
    assert found.permutations == 3  # good enough after the first pairs


def test_agrees_with_shaps_exact_explainer():
    import shap

    generator = np.random.default_rng(1)
    columns = [f"f{n}" for n in range(7)]
    rows, background = generator.normal(size=(4, 7)), generator.normal(size=(6, 7))

    def raw(x):
        return x[:, 0] * x[:, 1] + np.sin(x[:, 2]) + np.maximum(x[:, 3], x[:, 4]) * x[:, 5]

    reference = shap.ExactExplainer(raw, shap.maskers.Independent(background, max_samples=100))(
        rows
    )
    exact = explain(
        lambda rs: raw(as_array(rs)), table(rows, columns), table(background, columns), columns
    )
    sampled = explain(
        lambda rs: raw(as_array(rs)),
        table(rows, columns),
        table(background, columns),
        columns,
        max_pairs=2,
        target_error=0.0,
        seed=5,
    )

    assert exact.permutations == 0
    assert exact.values == pytest.approx(reference.values, abs=1e-9)
    assert exact.base_value == pytest.approx(reference.base_values[0])
    assert sampled.permutations == 2
    off = np.abs(sampled.values - reference.values)
    assert off.mean() < 0.1
    assert sampled.additivity_error < 1e-9


def test_standard_errors_say_how_far_off_the_values_are():
    import shap

    generator = np.random.default_rng(9)
    columns = [f"f{n}" for n in range(10)]
    rows, background = generator.normal(size=(6, 10)), generator.normal(size=(4, 10))

    def raw(x):
        return x[:, 0] * x[:, 1] * x[:, 2] + np.tanh(x[:, 3] + x[:, 4]) + x[:, 5] * x[:, 9]

    reference = shap.ExactExplainer(raw, shap.maskers.Independent(background, max_samples=100))(
        rows
    )
    found = explain(
        lambda rs: raw(as_array(rs)),
        table(rows, columns),
        table(background, columns),
        columns,
        target_error=0.0,
        seed=5,
    )

    off = np.abs(found.values - reference.values)
    assert found.permutations == 10
    assert off.mean() < 0.03
    assert (off <= 3 * found.errors + 1e-9).mean() > 0.9


def test_the_same_seed_gives_the_same_values_and_another_does_not():
    generator = np.random.default_rng(2)
    columns = [f"f{n}" for n in range(10)]
    rows, background = (
        table(generator.normal(size=(2, 10)), columns),
        table(generator.normal(size=(3, 10)), columns),
    )

    def model(rs):
        return np.prod(as_array(rs)[:, :4], axis=1) + as_array(rs)[:, 5] ** 2

    def run(seed):
        return explain(model, rows, background, columns, seed=seed, max_pairs=4).values

    assert (run(1) == run(1)).all()
    assert (run(1) != run(2)).any()


def test_repeated_composites_are_asked_about_once():
    # binary features: however many coalitions, there are only 2^3 different rows
    columns = ["a", "b", "c"]
    rows = [{"a": "x", "b": True, "c": 1}] * 10
    background = [{"a": "y", "b": False, "c": 0}] * 10
    model = Counting(lambda row: float(row["a"] == "x") + float(row["b"]) * row["c"])

    found = explain(model, rows, background, columns)

    assert model.rows == found.model_rows == 8
    assert found.values[0] == pytest.approx([1.0, 0.5, 0.5])


def test_values_keep_their_types_and_nothing_is_confused():
    seen = []

    def model(rows):
        seen.extend(rows)
        return np.zeros(len(rows))

    explain(model, [{"a": 1, "b": None}], [{"a": True, "b": "1"}], ["a", "b"])

    assert {type(row["a"]) for row in seen} == {int, bool}
    assert {row["b"] for row in seen} == {None, "1"}


def test_few_calls_batched_over_rows():
    generator = np.random.default_rng(4)
    columns = [f"f{n}" for n in range(11)]
    model = Counting(lambda row: row["f0"] * row["f1"] + row["f2"])
    rows = table(generator.normal(size=(20, 11)), columns)
    background = table(generator.normal(size=(10, 11)), columns)

    found = explain(model, rows, background, columns, max_pairs=5, target_error=0.0)

    assert model.calls <= 2 + 5
    assert model.rows == found.model_rows <= 20 * 10 * 2 * 10 * 5 + 30


def test_stops_at_the_target_and_never_passes_the_cap():
    generator = np.random.default_rng(6)
    columns = [f"f{n}" for n in range(12)]
    rows = table(generator.normal(size=(4, 12)), columns)
    background = table(generator.normal(size=(5, 12)), columns)
    least = 2 * 11 * 3 * 20 + 9

    def model(rs):
        x = as_array(rs)
        return x[:, 0] * x[:, 1] * x[:, 2] + x[:, 3]

    loose = explain(model, rows, background, columns, target_error=10.0)
    capped = explain(model, rows, background, columns, target_error=0.0, max_model_rows=least + 500)

    assert loose.permutations == 3
    assert capped.model_rows <= least + 500
    assert capped.permutations == 4
    with pytest.raises(BudgetTooSmall, match="more than the 100 allowed"):
        explain(model, rows, background, columns, max_model_rows=100)


def test_empty_input_is_refused():
    with pytest.raises(ValueError, match="needs rows"):
        explain(lambda rows: np.zeros(len(rows)), [], [{"a": 1}], ["a"])


def test_global_importance_by_hand_and_as_shap():
    rows = [{"a": 1.0, "b": 0.0}, {"a": -3.0, "b": 1.0}]
    found = explain(
        lambda rs: np.array([r["a"] + r["b"] for r in rs]), rows, [{"a": 0.0, "b": 0.0}], ["a", "b"]
    )

    ranked = global_importance(found)

    assert ranked[0] == {"feature": "a", "mean_abs": 2.0, "se": pytest.approx(1.0)}
    assert ranked[1]["mean_abs"] == 0.5
    shown = as_shap_explanation(found, rows)
    assert shown.abs.mean(0).values.tolist() == [2.0, 0.5]


def test_background_by_kmeans_is_real_rows_with_weights():
    columns = ["n", "c"]
    near = [{"n": 0.01 * i, "c": "a"} for i in range(30)]
    far = [{"n": 100 + 0.01 * i, "c": "b"} for i in range(10)]

    indices, weights = backgrounds.choose([*near, *far], columns, size=2, method="kmeans", seed=1)

    assert len(indices) == 2
    assert indices[0] < 30 <= indices[1]
    assert weights.tolist() == pytest.approx([0.75, 0.25])


def test_background_edges():
    rows = [{"n": 1.0}] * 50
    assert len(backgrounds.choose(rows, ["n"], size=99, method="random", seed=1)[0]) == 30
    assert backgrounds.choose(rows, ["n"], size=10, method="kmeans", seed=1)[1].tolist() == [1.0]
    with_gaps = [{"n": None}, {"n": float("nan")}, {"n": 3.0}, {"n": 5.0}]
    assert backgrounds.choose(with_gaps, ["n"], size=2, method="kmeans", seed=0)[1].sum() == 1.0
    with pytest.raises(ValueError, match="no background method"):
        backgrounds.choose(rows, ["n"], size=2, method="magic", seed=0)
    with pytest.raises(ValueError, match="no row"):
        backgrounds.choose([], ["n"], size=2, method="random", seed=0)
