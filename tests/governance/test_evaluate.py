"""Verdicts from facts: four states that are not "passes", and sentences that say why."""

from __future__ import annotations

import pytest

from governance.gates.evaluate import Facts, Have, Source, State, judge
from governance.gates.expression import parse

ON = " on holdout"


def facts(**fields):
    given = {"kind": "binary", "environment": "production", "live": 6, "sources": {}, **fields}
    return Facts(**given)


def complete(result):
    return Source(Have.COMPLETE, result, evidence_id=7)


def evaluation(**metrics):
    return {("evaluation", "holdout"): complete({"metrics": metrics})}


def verdict(text, given):
    return judge(parse(text), given)[1]


def test_a_figure_on_the_right_side_passes_and_says_so():
    auc = {"value": 0.7, "lower95": 0.68, "upper95": 0.72}

    found = verdict(f"auc.lower95 >= 0.6{ON}", facts(sources=evaluation(auc=auc)))

    assert found.state is State.PASSES
    assert (found.observed, found.lower, found.upper, found.evidence_id) == (0.7, 0.68, 0.72, 7)
    assert found.explanation == (
        "AUC is 0.700 [0.680, 0.720]; the lower 95 % end, 0.680, counts, as asked (≥ 0.6)."
    )


def test_the_end_of_the_interval_decides_where_the_gate_says_so():
    auc = {"value": 0.61, "lower95": 0.59, "upper95": 0.63}

    assert verdict(f"auc >= 0.6{ON}", facts(sources=evaluation(auc=auc))).state is State.PASSES
    found = verdict(f"auc.lower95 >= 0.6{ON}", facts(sources=evaluation(auc=auc)))
    assert found.state is State.FAILS
    assert found.remedy == "A version whose AUC on holdout is ≥ 0.6."


@pytest.mark.parametrize(
    "figure",
    [None, {}, {"value": None}, {"value": float("nan")}, {"value": "0.9"}, {"value": True}],
)
def test_a_figure_that_is_none_never_passes(figure):
    found = verdict(f"auc >= 0{ON}", facts(sources=evaluation(auc=figure)))

    assert found.state is State.COULD_NOT_COMPUTE


def test_an_interval_that_is_not_there_is_not_replaced_by_the_value():
    found = verdict(f"auc.lower95 >= 0.6{ON}", facts(sources=evaluation(auc={"value": 0.9})))

    assert found.state is State.COULD_NOT_COMPUTE
    assert "no 95 % interval" in found.explanation


def test_the_evidence_says_why_a_metric_is_missing():
    sources = {
        ("evaluation", "holdout"): complete(
            {"metrics": {}, "not_computed": {"auc": "one class only"}}
        )
    }

    assert "one class only" in verdict(f"auc >= 0.6{ON}", facts(sources=sources)).explanation


@pytest.mark.parametrize(
    ("source", "state", "said"),
    [
        (Source(Have.WAITING), State.WAITING, "is being computed"),
        (
            Source(Have.FAILED, reason="the endpoint timed out", remedy="Run it again."),
            State.COULD_NOT_COMPUTE,
            "the endpoint timed out.",
        ),
        (Source(Have.MISSING, reason="no endpoint"), State.COULD_NOT_COMPUTE, "no endpoint."),
    ],
)
def test_evidence_that_is_not_there(source, state, said):
    found = verdict(f"auc >= 0.6{ON}", facts(sources={("evaluation", "holdout"): source}))

    assert found.state is state
    assert said in found.explanation


def test_nothing_at_all_could_not_be_computed():
    assert verdict(f"auc >= 0.6{ON}", facts()).state is State.COULD_NOT_COMPUTE


@pytest.mark.parametrize(
    "text", [f"auc - live.auc >= -0.01{ON}", f"decision_flips(live) <= 3%{ON}"]
)
def test_a_first_release_has_nothing_to_compare_with(text):
    found = verdict(text, facts(live=None))

    assert found.state is State.NOT_APPLICABLE
    assert "first release" in found.explanation


@pytest.mark.parametrize(
    ("kind", "text", "state"),
    [
        ("regression", f"auc >= 0.6{ON}", State.NOT_APPLICABLE),
        ("binary", f"rmse <= 3{ON}", State.NOT_APPLICABLE),
        ("regression", f"rmse <= 3{ON}", State.COULD_NOT_COMPUTE),
        ("regression", f"decision_flips(live) <= 3%{ON}", State.NOT_APPLICABLE),
    ],
)
def test_a_metric_of_another_kind_of_model_does_not_apply(kind, text, state):
    assert verdict(text, facts(kind=kind)).state is state


def differential(delta=0.02, low=0.01, high=0.03, share=0.02):
    return {
        ("differential", "holdout"): complete(
            {
                "flips": {"share": {"value": share, "lower95": 0.015, "upper95": 0.026}},
                "metrics_delta": {
                    "auc": {
                        "candidate": 0.7 + delta,
                        "baseline": 0.7,
                        "delta": delta,
                        "lower95": low,
                        "upper95": high,
                    }
                },
            }
        )
    }


def test_a_difference_is_compared_with_its_sign():
    found = verdict(f"auc - live.auc >= -0.01{ON}", facts(sources=differential(-0.005, -0.01, 0)))
    assert found.state is State.PASSES
    assert found.live_value == 0.7

    found = verdict(
        f"auc - live.auc >= -0.01{ON}", facts(sources=differential(-0.02, -0.03, -0.01))
    )
    assert found.state is State.FAILS
    assert found.is_worse_than_live
    assert "AUC against live is −0.020 [−0.030, −0.010]" in found.explanation


def test_flips_are_a_share():
    assert (
        verdict(f"decision_flips(live) <= 3%{ON}", facts(sources=differential())).state == "passes"
    )
    found = verdict(f"decision_flips(live) <= 1%{ON}", facts(sources=differential()))
    assert found.state is State.FAILS
    assert "2.0 %" in found.explanation


def test_worse_than_live_means_the_paired_interval_says_so():
    auc = {"value": 0.69, "lower95": 0.67, "upper95": 0.71}
    text = f"auc >= 0.6{ON}"

    clear = {**evaluation(auc=auc), **differential(-0.02, -0.03, -0.01)}
    unclear = {**evaluation(auc=auc), **differential(-0.005, -0.015, 0.005)}

    assert verdict(text, facts(sources=clear)).is_worse_than_live
    assert not verdict(text, facts(sources=unclear)).is_worse_than_live


def test_fairness_is_by_column_and_small_groups_are_named():
    result = {
        "selection_rate_ratio": {"age": {"value": 0.774, "lower95": 0.741, "upper95": 0.808}},
        "too_small": [{"column": "sex", "value": "x", "rows": 4}],
    }
    sources = {("fairness", "holdout"): complete(result)}

    found = verdict(f"selection_rate_ratio(age).lower95 >= 0.8{ON}", facts(sources=sources))
    assert found.state is State.FAILS
    missing = verdict(f"selection_rate_ratio(sex) >= 0.8{ON}", facts(sources=sources))
    assert missing.state is State.COULD_NOT_COMPUTE
    assert "too few rows of x" in missing.explanation


def test_a_gate_of_several_parts_is_as_good_as_its_worst():
    text = "card.complete and findings.open_high == 0"

    assert verdict(text, facts()).state is State.PASSES
    found = verdict(text, facts(card_missing=["the model's purpose"], findings={"open_high": 2}))
    assert found.state is State.FAILS
    assert "The card lacks the model's purpose." in found.explanation
    assert "2 open high findings" in found.explanation


def test_an_explanation_must_be_there():
    assert verdict("explanation.present", facts()).state is State.COULD_NOT_COMPUTE
    sources = {("explanation", ""): complete({"features": ["a", "b"]})}
    assert verdict("explanation.present", facts(sources=sources)).state is State.PASSES
