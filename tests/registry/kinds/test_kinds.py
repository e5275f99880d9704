"""The table has an answer for everything, and a reason wherever the answer is no."""

import pytest

from registry import kinds
from registry.kinds import Support, Want
from registry.models import Consumption, Kind


@pytest.mark.parametrize("consumption", Consumption.values)
@pytest.mark.parametrize("kind", Kind.values)
def test_every_kind_and_consumption_has_a_whole_answer(kind, consumption):
    items = kinds.items(kind, consumption)
    keys = [it.key for it in items]

    assert len(set(keys)) == len(keys)
    assert {"evaluation", "card", "endpoint", "route", "receipts", "devices"} <= set(keys)
    for item in items:
        assert item.title
        assert item.reason.endswith("."), item
        assert (item.want is Want.NONE) == (item.support is Support.NONE), item
    assert next(it.key for it in items if it.group == "document") == "card"


def test_what_is_measured_here_is_one_score_a_row():
    here = {kind for kind in Kind.values if kinds.is_measurable(kind)}

    assert here == {"binary", "regression", "forecasting", "anomaly", "rule", "vendor"}
    for kind in Kind.values:
        supports = {kinds.evidence(kind, name).support for name in kinds.EVIDENCE}
        assert (supports == {Support.HERE}) == (kind in here)


def test_words_have_no_scores_and_richer_answers_are_measured_elsewhere():
    for kind in ("prompt", "generative"):
        assert set(kinds.not_applicable(kind)) == set(kinds.EVIDENCE)
    for kind in ("multiclass", "ranking", "recommendation", "text", "image", "binary"):
        assert kinds.not_applicable(kind) == {}
    assert kinds.evidence("multiclass", "evaluation").support is Support.OUTSIDE


@pytest.mark.parametrize(
    ("consumption", "needed"),
    [
        ("online", {"endpoint", "route", "monitor"}),
        ("batch", {"route", "monitor", "receipts"}),
        ("table", {"route", "monitor", "receipts"}),
        ("stream", {"route", "monitor"}),
        ("device", {"route", "devices", "fallback"}),
        ("one_off", {"receipts"}),
        ("vendor", {"monitor"}),
    ],
)
def test_what_each_way_of_reaching_callers_asks_for(consumption, needed):
    wants = kinds.way(consumption).wants

    assert {key for key, (want, _) in wants.items() if want is Want.NEEDED} == needed
    assert kinds.way(consumption).is_read == (consumption != "online")


def test_a_prompt_is_asked_for_its_template_and_nothing_that_scores():
    items = {it.key: it for it in kinds.items("prompt", "online")}

    assert items["prompt"].want is Want.NEEDED
    for key in ("signature", "artifacts", "endpoint", "monitor", "evaluation", "explanation"):
        assert items[key].want is Want.NONE, key
    assert "prompt" not in {it.key for it in kinds.items("binary", "online")}
