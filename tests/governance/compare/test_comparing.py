"""What the pure part of a comparison says, by hand-made figures."""

import pytest

from common.errors import Invalid
from governance import comparing
from governance.compare import parse


def triple(value, half=0.02):
    return {"value": value, "lower95": value - half, "upper95": value + half}


def test_figures_differ_when_their_intervals_are_apart():
    first, near, far = {"auc": triple(0.70)}, {"auc": triple(0.73)}, {"auc": triple(0.75)}

    (row,) = comparing.metric_rows([first, near, far], [None] * 3)

    assert [cell.verdict for cell in row.cells] == ["", "cannot tell", "better"]
    assert [cell.how for cell in row.cells] == ["", "intervals", "intervals"]
    assert row.differs


def test_a_loss_is_better_when_it_is_lower():
    (row,) = comparing.metric_rows([{"rmse": triple(5.0)}, {"rmse": triple(4.0)}], [None] * 2)

    assert row.cells[1].verdict == "better"


def test_a_differential_over_the_same_rows_sees_what_intervals_do_not():
    metrics = [{"auc": triple(0.70)}, {"auc": triple(0.73)}]
    paired = [None, {"auc": {"delta": 0.03, "lower95": 0.01, "upper95": 0.05}}]

    (row,) = comparing.metric_rows(metrics, paired)

    assert (row.cells[1].verdict, row.cells[1].how) == ("better", "paired")


def test_without_an_interval_nothing_is_told():
    metrics = [{"auc": {"value": 0.7}}, {"auc": {"value": 0.9}}]

    (row,) = comparing.metric_rows(metrics, [None] * 2)

    assert row.cells[1].verdict == "cannot tell"
    assert not row.differs


def test_what_one_version_lacks_stays_empty():
    rows = comparing.metric_rows([None, {"auc": triple(0.7), "zz": triple(1)}], [None] * 2)

    assert [row.name for row in rows] == ["AUC", "Zz"]
    assert rows[0].cells[0].value is None
    assert rows[0].cells[1].verdict == ""


def test_parameters_are_flat_and_what_differs_comes_first():
    releases = [
        {"extra": {"depth": 3, "scaler": {"mean": [1, 2]}}, "image": "a", "artifacts": [{}]},
        {"extra": {"depth": 4, "scaler": {"mean": [1, 2]}}, "image": "a", "artifacts": []},
    ]

    rows = comparing.parameters(releases, [{"team": "x"}, {}])

    assert [(row.name, row.cells, row.differs) for row in rows] == [
        ("extra.depth", ["3", "4"], True),
        ("tag team", ["x", ""], True),
        ("extra.scaler.mean", ["1, 2", "1, 2"], False),
        ("image", ["a", "a"], False),
    ]


def test_columns_say_type_and_side():
    one = {"inputs": [{"name": "x", "type": "double"}], "outputs": [{"name": "y", "type": "long"}]}
    two = {"inputs": [{"name": "x", "type": "double", "required": False}], "outputs": []}

    rows = comparing.columns([one, two])

    assert [(row.name, row.hint, row.cells) for row in rows] == [
        ("x", "in", ["double", "double, optional"]),
        ("y", "out", ["long", ""]),
    ]


def test_shares_are_of_all_movement():
    explained = {
        "global": [{"feature": "a", "mean_abs": 3, "se": 1}, {"feature": "b", "mean_abs": 1}]
    }

    assert comparing.shares(explained) == {"a": (0.75, pytest.approx(0.49)), "b": (0.25, 0.0)}
    assert comparing.shares(None) == comparing.shares({"global": []}) == {}


def test_versions_are_read_whatever_a_name_holds():
    assert parse(["a:1,b,c:2:3,b:2"]) == [("a", 1), ("b,c:2", 3), ("b", 2)]
    assert parse(["a:1", "a:2", "a:1"]) == [("a", 1), ("a", 2)]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["a:1"],
        ["a:1,a:1"],
        ["a"],
        ["a:1,b"],
        ["a:x,b:1"],
        [",:1"],
        ["a\x00:1,b:2"],
        [":1,:2x"],
        [f"a:{number}" for number in range(7)],
    ],
)
def test_what_names_no_two_to_six_versions_is_refused(texts):
    with pytest.raises(Invalid):
        parse(texts)
