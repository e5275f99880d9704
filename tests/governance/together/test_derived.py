"""A request about a derived version offers the comparison with its parent."""

import pytest

from governance.services.promotions import refresh_gates
from tests.factories import governance as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(workspace):
    model = make.model(workspace)
    parent = make.version(model)
    small = make.version(model, derived_from=parent, derivation="quantised")
    return make.promotion(workspace, of=small), parent


def row(promotion):
    return promotion.gates.get(metric="comparison")


def test_it_says_what_is_missing_and_blocks_nothing(asked):
    promotion, _ = asked

    shown = row(promotion)
    assert (shown.state, shown.blocks) == ("could_not_compute", False)
    assert "quantised from" in shown.title
    assert "have no endpoint" in shown.explanation
    assert "upload predictions" in shown.remedy


@pytest.mark.parametrize(
    ("state", "gate", "words"),
    [
        ("complete", "passes", "41 of 2,000 decisions differ on holdout."),
        ("running", "waiting", "being computed"),
        ("failed", "could_not_compute", "the endpoint timed out"),
    ],
)
def test_it_shows_how_far_the_comparison_is(asked, state, gate, words):
    promotion, parent = asked
    if state == "complete":
        evidence = make.differential(promotion.version, parent)
    else:
        evidence = make.evidence(
            promotion.version, "differential", None, baseline=parent, state=state
        )

    refresh_gates(promotion)

    shown = row(promotion)
    assert (shown.state, shown.blocks, shown.evidence) == (gate, False, evidence)
    assert words in shown.explanation


def test_where_the_parent_is_live_the_usual_comparison_is_enough(workspace):
    model = make.model(workspace)
    parent = make.version(model)
    make.make_live(parent)
    small = make.version(model, derived_from=parent, derivation="pruned")
    promotion = make.promotion(workspace, of=small)

    assert [it.title for it in promotion.gates.filter(metric="comparison")] == [
        "Comparison with the live version"
    ]
