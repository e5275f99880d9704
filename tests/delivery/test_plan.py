"""What a plan may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Invalid
from delivery import plan as plans


def test_the_shapes_of_a_step():
    plan = plans.parse({"steps": [5, "25%", {"weight": 100, "min_answers": 9}], "min_seconds": 3})
    assert [step.weight for step in plan.steps] == [5, 25, 100]
    assert [step.min_answers for step in plan.steps] == [200, 200, 9]
    assert {step.min_seconds for step in plan.steps} == {3}
    assert plan.limits == plans.Limits()


def test_what_is_parsed_reads_back():
    plan = plans.parse({"steps": ["10%", 100], "limits": {"slow_ms": 250}})
    assert plans.parse(plan.as_dict()) == plan


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (None, "plan"),
        ([], "plan"),
        ({}, "plan.steps"),
        ({"steps": []}, "plan.steps"),
        ({"steps": "25%"}, "plan.steps"),
        ({"steps": [50]}, "plan.steps"),
        ({"steps": [50, 25, 100]}, "plan.steps"),
        ({"steps": [50, 50, 100]}, "plan.steps"),
        ({"steps": [*range(1, 21), 100]}, "plan.steps"),
        ({"steps": [0, 100]}, "plan.steps[0].weight"),
        ({"steps": [101]}, "plan.steps[0].weight"),
        ({"steps": [-5, 100]}, "plan.steps[0].weight"),
        ({"steps": ["soon", 100]}, "plan.steps[0]"),
        ({"steps": ["5.5%", 100]}, "plan.steps[0]"),
        ({"steps": [None, 100]}, "plan.steps[0]"),
        ({"steps": [True, 100]}, "plan.steps[0]"),
        ({"steps": [[25], 100]}, "plan.steps[0]"),
        ({"steps": [{"share": 25}, 100]}, "plan.steps[0]"),
        ({"steps": [{"min_answers": 25}, 100]}, "plan.steps[0].weight"),
        ({"steps": [{"weight": 25.5}, 100]}, "plan.steps[0].weight"),
        ({"steps": [{"weight": "25"}, 100]}, "plan.steps[0].weight"),
        ({"steps": [100], "min_answers": -1}, "plan.steps[0].min_answers"),
        ({"steps": [100], "min_answers": "200"}, "plan.steps[0].min_answers"),
        ({"steps": [100], "min_answers": 10**9}, "plan.steps[0].min_answers"),
        ({"steps": [100], "min_seconds": 60, "max_seconds": 60}, "plan.steps[0].max_seconds"),
        ({"steps": [100], "limits": []}, "plan.limits"),
        ({"steps": [100], "limits": {"beta": 1}}, "plan.limits"),
        ({"steps": [100], "limits": {"alpha": 0.5}}, "plan.limits.alpha"),
        ({"steps": [100], "limits": {"alpha": 0.0}}, "plan.limits.alpha"),
        ({"steps": [100], "limits": {"alpha": "1%"}}, "plan.limits.alpha"),
        ({"steps": [100], "limits": {"alpha": float("nan")}}, "plan.limits.alpha"),
        ({"steps": [100], "limits": {"slow_ms": 300}}, "plan.limits.slow_ms"),
        ({"steps": [100], "limits": {"slow_ms": [250]}}, "plan.limits.slow_ms"),
        ({"steps": [100], "limits": {"slow_ms": True}}, "plan.limits.slow_ms"),
        ({"steps": [100], "limits": {"slow_share": 1.0}}, "plan.limits.slow_share"),
        ({"steps": [100], "limits": {"slow_share": 0.0}}, "plan.limits.slow_share"),
        ({"steps": [100], "bake": "24h"}, "plan"),
    ],
)
def test_what_is_wrong_is_named(raw, field):
    with pytest.raises(Invalid) as refusal:
        plans.parse(raw)
    assert refusal.value.code == "plan_invalid"
    assert list(refusal.value.fields) == [field]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["steps", "weight", "limits", "alpha", "min_answers", "slow_ms", "x"]),
        inner, max_size=4,
    ),
)  # fmt: skip


@given(JSON)
def test_whatever_comes_is_a_plan_or_refused(raw):
    try:
        plan = plans.parse(raw)
    except Invalid:
        return
    assert plan.steps[-1].weight == 100
