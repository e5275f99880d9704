"""What means nothing for a kind of model is not applicable, with the reason; nothing else is."""

import pytest

from governance import facts
from governance.gates.evaluate import Facts, State, judge
from governance.gates.expression import parse
from registry import kinds
from registry.models import Kind

GATES = {
    "evaluation": "auc >= 0.7 on holdout",
    "differential": "decision_flips(live) <= 0.01 on holdout",
    "fairness": "selection_rate_ratio(sex) >= 0.8 on holdout",
    "explanation": "explanation.present",
}


def verdict(text, kind):
    given = Facts(
        kind=kind,
        environment="production",
        live=1,
        sources={},
        not_applicable=kinds.not_applicable(kind),
    )
    return judge(parse(text), given)[1]


@pytest.mark.parametrize("kind", [Kind.PROMPT, Kind.GENERATIVE])
@pytest.mark.parametrize("evidence", list(GATES))
def test_a_gate_about_scores_says_nothing_about_what_answers_in_words(kind, evidence):
    found = verdict(GATES[evidence], kind)

    assert found.state is State.NOT_APPLICABLE
    assert found.explanation == kinds.evidence(kind, evidence).reason


@pytest.mark.parametrize("kind", [Kind.MULTICLASS, Kind.TEXT, Kind.RANKING, Kind.BINARY])
@pytest.mark.parametrize("evidence", list(GATES))
def test_what_only_we_cannot_measure_is_never_let_through(kind, evidence):
    assert verdict(GATES[evidence], kind).state is State.COULD_NOT_COMPUTE


def test_evidence_that_means_nothing_is_not_asked_for():
    body = {
        "gates": [{"check": text, "severity": "block"} for text in GATES.values()],
        "dataset": "holdout",
        "variables": {},
    }
    asked = {need.kind for need in facts.needs(body, kind="binary", has_live=True)}

    assert asked == {"evaluation", "differential", "fairness", "explanation"}
    assert facts.needs(body, kind="prompt", has_live=True) == []
