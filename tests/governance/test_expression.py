"""Gates as text: what is understood, and where what is not went wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.gates.expression import Condition, ExpressionError, Family, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "auc.lower95 >= 0.78 on holdout-2026q2",
            Condition(Family.EVALUATION, "auc", "", "lower95", ">=", 0.78, False, "holdout-2026q2"),
        ),
        ("brier<=.2", None),
        ("brier<=0.2", Condition(Family.EVALUATION, "brier", "", "value", "<=", 0.2)),
        ("auc - live.auc >= -0.01", Condition(Family.DELTA, "auc", "", "value", ">=", -0.01)),
        ("rmse - live.rmse <= 1e-2", Condition(Family.DELTA, "rmse", "", "value", "<=", 0.01)),
        (
            'selection_rate_ratio("age band").lower95 >= 0.80 on "a b"',
            Condition(
                Family.FAIRNESS,
                "selection_rate_ratio",
                "age band",
                "lower95",
                ">=",
                0.8,
                False,
                "a b",
            ),
        ),
        (
            "decision_flips(live) <= 3 %",
            Condition(Family.FLIPS, "decision_flips", "", "value", "<=", 0.03, True),
        ),
        ("findings.open_high == 0", Condition(Family.FINDINGS, "open_high", comparison="==")),
        ("card.complete", Condition(Family.CARD)),
        ("explanation.present", Condition(Family.EXPLANATION)),
    ],
)
def test_one_condition(text, wanted):
    if wanted is None:
        with pytest.raises(ExpressionError):
            parse(text)
    else:
        assert parse(text) == (wanted,)


def test_conditions_are_joined_by_and():
    found = parse("card.complete and findings.open_high == 0 and auc >= 0.6 on h")

    assert [item.family for item in found] == [Family.CARD, Family.FINDINGS, Family.EVALUATION]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "expected a metric"),
        ("load.p99_ms <= 80", 1, "“load” is not known here; known are auc"),
        ("auc >=", 7, "expected a number, found the end"),
        ("auc == 0.7", 5, "expected >=, >, <= or <"),
        ("auc >= 0.6 0.7", 12, "expected “and” or the end, found “0.7”"),
        ("auc.p99 >= 0.6", 5, "expected lower95 or upper95"),
        ("auc - live.brier >= 0", 12, "expected auc"),
        ("auc.lower95 - live.auc >= 0", 1, "a difference has its own interval"),
        ("decision_flips(champion) <= 3%", 1, "against live"),
        ("selection_rate_ratio >= 0.8", 22, "expected “(” and a column"),
        ("selection_rate_ratio(age >= 0.8", 26, "expected “)”"),
        ("findings.open_high == 0.5", 26, "whole number"),
        ("findings.lost == 0", 10, "expected open or open_high or open_medium"),
        ("card", 5, "expected .complete"),
        ("auc >= 0.6 on", 14, "expected a dataset's name"),
        ("auc >= 0.6 or brier <= 1", 12, "expected “and”"),
    ],
)
def test_what_is_no_gate_says_where_and_what_was_expected(text, column, said):
    with pytest.raises(ExpressionError, match=r".") as caught:
        parse(text)

    assert said in caught.value.message
    assert caught.value.column == column


def test_a_gate_has_a_longest_length():
    with pytest.raises(ExpressionError, match="300"):
        parse("auc >= 0.6" + " " * 400)


@given(st.text(max_size=80))
def test_any_text_is_a_gate_or_an_error_and_nothing_else(text):
    try:
        assert parse(text)
    except ExpressionError as error:
        column = error.column
    else:
        return
    assert 1 <= column <= len(text) + 1


@pytest.mark.parametrize(
    ("text", "observed", "holds"),
    [
        ("auc >= 0.6", 0.6, True),
        ("auc > 0.6", 0.6, False),
        ("brier <= 0.2", 0.2, True),
        ("brier < 0.2", 0.2, False),
        ("findings.open == 0", 0, True),
        ("findings.open == 0", 1, False),
        ("auc >= 0.6", 0.5999, False),
    ],
)
def test_the_limit_itself_is_allowed_where_the_sign_says_so(text, observed, holds):
    assert parse(text)[0].holds(observed) is holds
