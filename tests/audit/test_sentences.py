"""Each line of the trail reads as a sentence."""

from __future__ import annotations

import pytest

from audit.actions import Action
from audit.sentences import PHRASES, phrase


@pytest.mark.parametrize("action", list(Action))
def test_every_action_has_words(action):
    text = phrase(action, name="credit-risk")

    assert text
    assert "{" not in text
    assert text == text.strip()


def test_no_words_without_an_action():
    assert set(PHRASES) <= set(Action)


def test_a_refusal_says_why():
    text = phrase(
        Action.REQUEST_SIGN_REFUSED,
        name="REQ-7",
        details={"code": "author_cannot_sign"},
    )

    assert text == "was not let sign REQ-7 (author cannot sign)"


def test_an_action_without_words_of_its_own_still_reads():
    assert phrase("model.moved_up", name="x") == "moved up the model x"
    assert phrase("exploded", name="x") == "exploded x"


def test_braces_in_a_name_are_text():
    assert phrase("model.created", name="{0.__class__}").endswith("{0.__class__}")
