"""Prompts: what is in the tags, what changed, and that a signature is about the text."""

import json

import pytest

from common.errors import Invalid
from registry import prompts, release_tags
from registry.release import ReleaseInput, canonical, digest

CHAT = json.dumps(
    [
        {"role": "system", "content": "You answer in {{ language }}."},
        {"role": "user", "content": "Summarise {{text}} in {{ language }}."},
    ]
)


def tags(text, **more):
    return {prompts.TEXT: text, **more}


def test_a_text_and_its_variables():
    found = prompts.parse(tags("Hello {{ name }}, {{user.city}} and {{ name }}. {not} {{ 1x }}"))

    assert not found.is_chat
    assert found.variables == ("name", "user.city")
    assert not found.has_logic


def test_a_chat_is_read_turn_by_turn():
    found = prompts.parse(tags(CHAT, **{prompts.TYPE: "chat"}))

    assert [it.role for it in found.messages] == ["system", "user"]
    assert found.variables == ("language", "text")
    assert found.text.startswith("[system]\nYou answer")


@pytest.mark.parametrize(
    "text", ["", "[", "[1, 2]", '[{"role": 1}]', "[[[[", '{"a": 1}', "[" * 100_000, "{% if x %}"]
)
def test_whatever_is_no_chat_is_text(text):
    found = prompts.parse(
        tags(text, **{prompts.TYPE: "chat", prompts.CONFIG: "{", prompts.FORMAT: "["})
    )

    assert not found.is_chat
    assert found.messages[0].content == text
    assert found.has_logic == ("{%" in text)


def test_no_text_is_no_prompt():
    assert prompts.parse({}) is None
    assert prompts.parse({prompts.TEXT: 5}) is None


def test_pieces_join_to_the_text():
    text = "a {{ x }}{{y}} b"
    found = prompts.pieces(text)

    assert "".join(it.text for it in found) == text
    assert [it.text for it in found if it.is_variable] == ["{{ x }}", "{{y}}"]


def test_a_comparison_shows_what_changed_and_loses_no_line():
    changes = prompts.compare("same\n-- gone\nend", "same\n++ new\nend")

    assert [(it.change, it.text) for it in changes] == [
        ("same", "same"),
        ("removed", "-- gone"),
        ("added", "++ new"),
        ("same", "end"),
    ]
    assert prompts.label(changes) == "1 line added, 1 removed."
    assert prompts.compare("a", "a") == []


def test_another_text_is_another_release():
    digests = {
        digest(canonical(release_tags.fill(ReleaseInput(), content).release))
        for content in (
            {},
            tags("one"),
            tags("two"),
            tags("two", **{prompts.TYPE: "chat"}),
            tags("two", **{prompts.CONFIG: '{"temperature": 1}'}),
        )
    }

    assert len(digests) == 5


@pytest.mark.parametrize("key", [prompts.TEXT, prompts.TYPE, prompts.FORMAT])
def test_what_is_signed_cannot_be_set_to_something_else(key):
    before = tags("one", **{prompts.CONFIG: "{}"})
    with pytest.raises(Invalid, match="part of the release"):
        release_tags.insist_unchanged(before, {**before, key: "other"})
    with pytest.raises(Invalid, match="part of the release"):
        release_tags.insist_unchanged(before, {**before, prompts.CONFIG: '{"temperature": 2}'})
    without = {key: value for key, value in before.items() if key != prompts.TEXT}
    with pytest.raises(Invalid, match="part of the release"):
        release_tags.insist_unchanged(before, without)


def test_settings_may_come_later_and_tags_of_models_that_are_no_prompts_stay_free():
    release_tags.insist_unchanged(tags("one"), tags("one", **{prompts.CONFIG: "{}"}))
    release_tags.insist_unchanged({}, {prompts.CONFIG: "{}", "team": "a"})
