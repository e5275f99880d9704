"""Policies as text: every problem with its field and line, and nothing constructed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.gates import policy_text
from governance.gates.policy_text import PolicyError, parse
from registry.models import Kind
from tests.factories.governance import source

GOOD = source(extra="rollout: {steps: [25%, 50%, 100%], min_answers: 50, max_time: 5min}\n")


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_policy_becomes_its_body():
    body = parse(GOOD)

    assert body["for"] == {"tiers": [2], "environment": "production", "kinds": ["binary"]}
    assert body["gates"][0] == {"check": "auc.lower95 >= 0.6", "severity": "block"}
    assert body["approvals"] == [
        {"role": "validator", "count": 1},
        {"role": "risk_officer", "count": 1},
    ]
    assert body["valid_for_s"] == 30 * 86_400
    assert [step["weight"] for step in body["plan"]["steps"]] == [25, 50, 100]
    assert body["plan"]["steps"][0]["max_seconds"] == 300
    assert body["meanings"]["validator"] == policy_text.DEFAULT_MEANINGS["validator"]


def test_json_says_the_same():
    import json

    text = json.dumps(
        {
            "policy": "p",
            "for": {"tier": [1, 2], "environment": "staging"},
            "gates": [{"check": "card.complete", "severity": "warn"}],
            "approvals": [{"role": "validator"}],
        }
    )

    body = parse(text)

    assert body["for"] == {"tiers": [1, 2], "environment": "staging", "kinds": []}
    assert body["gates"] == [{"check": "card.complete", "severity": "warn"}]
    assert body["plan"] == {}


def test_the_first_dataset_that_is_named_is_the_policys_own():
    text = source(gates=("auc >= 0.6 on march", "auc - live.auc >= -0.01")).replace(
        "dataset: holdout\n", ""
    )

    body = parse(text)

    assert body["dataset"] == "march"
    assert policy_text.conditions(body["gates"][1], body)[0].dataset == "march"


def test_the_plan_is_one_that_delivery_reads():
    from delivery.plan import parse as delivery_parse

    text = GOOD.replace("max_time: 5min", "max_time: 5min, limits: {alpha: 0.05, slow_ms: 250}")

    plan = delivery_parse(parse(text)["plan"])

    assert [step.weight for step in plan.steps] == [25, 50, 100]
    assert plan.limits.slow_ms == 250


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("tier: 2", "tier: 9"), "line 2, for.tier: expected a whole number from 1 to 3"),
        (("kind: [binary]", "kind: [magic]"), "line 2, for.kind.1: “magic” is not known"),
        (
            ("auc.lower95 >= 0.6", "auc.lower95 >= high"),
            "line 5, gates.1: “auc.lower95 >= high”, column 16",
        ),
        (("role: validator", "role: viewer"), "line 8, approvals.1: role is one of"),
        (
            ("role: risk_officer", "role: validator"),
            "line 9, approvals.2: “validator” stands here twice",
        ),
        (("count: 1", "count: 0"), "line 8, approvals.1: expected a whole number from 1 to 10"),
        (("valid_for: 30d", "valid_for: soon"), "line 10, valid_for: expected a time such as 30d"),
        (
            ("valid_for: 30d", "valid_for: 0d"),
            "line 10, valid_for: a validity is longer than nothing",
        ),
        (("valid_for: 30d", "valid_for: 9999d"), "line 10, valid_for: at most 366d"),
        (("[25%, 50%, 100%]", "[50%, 25%, 100%]"), "the steps go up and end at 100%"),
        (("[25%, 50%, 100%]", "[25%, 50%]"), "the steps go up and end at 100%"),
        (("[25%, 50%, 100%]", "[0%, 100%]"), "expected a share of traffic from 1% to 100%"),
        (("policy: tier-2", "policy: a/b"), "line 1, policy: a name begins with a letter"),
        (("valid_for: 30d", "budget: {rows: 1}"), "line 10, budget: “budget” is not known here"),
        (("dataset: holdout", "dataset: [1]"), "line 3, dataset: expected a dataset's name"),
        (
            ("  - auc.lower95 >= 0.6", "  - {check: auc >= 0.6, severity: waiver}"),
            "line 5, gates.1: severity is block or warn",
        ),
    ],
)
def test_each_mistake_has_its_field_and_line(change, said):
    before, after = change
    assert before in GOOD

    found = problems(GOOD.replace(before, after, 1))

    assert any(said in problem for problem in found), found


def test_all_mistakes_are_said_at_once():
    text = GOOD.replace("tier: 2", "tier: 9").replace("valid_for: 30d", "valid_for: soon")

    assert len(problems(text)) == 2


def test_a_gate_without_any_dataset_asks_for_one():
    found = problems(source(gates=("auc >= 0.6",)).replace("dataset: holdout\n", ""))

    assert "is measured on a dataset" in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1",
        "a: [",
        "a: &x [1]\nb: *x",
        "!!python/object/apply:os.system ['true']",
        "policy: a\npolicy: b",
        "? {a: b}\n: c",
        "[" * 100 + "]" * 100,
        "policy: !!binary aGk=",
        "policy: 2001-01-01\nfor: 12\ngates: text\napprovals: {}",
    ],
)
def test_what_is_not_plain_yaml_is_refused(text):
    assert problems(text)


def test_a_huge_text_is_refused():
    assert "64 KiB" in problems("a" * 70_000)[0]


@settings(max_examples=100)
@given(st.text(max_size=300))
def test_any_text_is_a_policy_or_a_list_of_problems(text):
    try:
        parse(text)
    except PolicyError as error:
        found = error.problems
    else:
        return
    assert found


def test_a_policy_can_be_for_every_kind_of_model():
    assert set(policy_text.KINDS) == set(Kind.values)
