"""What a card has to say, by tier and kind, and what changed between two of them."""

from __future__ import annotations

import pytest

from registry import cards
from registry.models import Kind

WORDS = cards.Fallbacks(
    model_description="d", version_description="v", purpose="p", owner="somebody"
)


def required(tier, kind="binary"):
    return {section.key for section in cards.SECTIONS if section.is_required(tier, kind)}


def test_a_higher_tier_asks_for_all_that_a_lower_one_does_and_more():
    assert required(3) < required(2) < required(1)
    assert required(3) == {"summary", "intended_use"}
    licences = {"licence_code", "licence_data"}
    assert licences | {"ethics", "mitigation", "encryption", "out_of_scope"} <= required(1)


def test_kinds_ask_for_what_means_something_to_them():
    assert "licence_base_model" not in required(1)
    assert "licence_base_model" in required(1, "generative")
    assert "training_data" not in required(1, "rule")
    assert "training_data" not in {section.key for section in cards.sections_for("prompt")}


@pytest.mark.parametrize("kind", Kind.values)
@pytest.mark.parametrize("tier", [1, 2, 3])
def test_a_card_with_every_section_is_complete_for_everybody(tier, kind):
    whole = {section.key: "Something." for section in cards.SECTIONS}
    assert cards.missing(whole, tier=tier, kind=kind) == []
    assert cards.missing({}, tier=tier, kind=kind) != []


def test_what_is_lacking_is_said_in_the_words_of_who_has_to_write_it():
    assert cards.missing({}, tier=2, kind="binary") == [
        "the model's description",
        "the version's description",
        "the model's purpose",
        "the section “Limits”",
        "the section “Evaluation”",
        "the contacts",
    ]


def test_the_inventorys_own_words_stand_in():
    assert cards.missing({}, tier=3, kind="binary", fallbacks=WORDS) == []
    assert cards.missing({"summary": "s"}, tier=3, kind="binary") == ["the model's purpose"]
    blank = cards.missing(
        {"limits": " \n", "evaluation": "e"}, tier=2, kind="rule", fallbacks=WORDS
    )
    assert blank == ["the section “Limits”"]


def test_the_difference_of_two_cards_is_by_section_and_line():
    old = {"limits": "one\ntwo\nthree", "summary": "same", "ethics": "gone"}
    new = {"limits": "one\n2\nthree", "summary": "same", "contacts": "new"}

    found = cards.diff(old, new)

    assert [change.title for change in found] == ["Limits", "Ethical considerations", "Contacts"]
    assert found[0].lines == ((" ", "one"), ("-", "two"), ("+", "2"), (" ", "three"))
    assert found[1].lines == (("-", "gone"),)
    assert found[2].lines == (("+", "new"),)
    assert cards.diff(old, old) == []


def test_a_section_that_no_longer_exists_is_still_compared():
    assert cards.diff({"once": "x"}, {})[0].title == "once"
