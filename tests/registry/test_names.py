import pytest

from common.errors import Invalid
from registry.names import insist_alias, insist_name, insist_tags, why_not_a_name


@pytest.mark.parametrize(
    "name",
    ["credit-risk", "Kredit Übersicht 7", "%2e%2e", "a.b", "+new", "模型", "x" * 255, "a:b?c#d"],
)
def test_what_can_be_read_in_one_line_is_a_name(name):
    assert why_not_a_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a ",
        " a",
        ".",
        "..",
        "a/b",
        "../../etc/passwd",
        "a\\b",
        "a\x00b",
        "a\nb",
        "\x1b[31m",
        "abc\u202ecba",
        "zero\u200bwidth",
        "x" * 256,
        "x" * 10_000_000,
        "\ud800",
    ],
    ids=lambda name: repr(name[:12]),
)
def test_what_hides_something_or_is_a_path_is_no_name(name):
    with pytest.raises(Invalid) as refusal:
        insist_name(name)

    assert refusal.value.fields.keys() == {"name"}
    assert len(refusal.value.message) < 200


def test_one_look_is_one_name():
    assert insist_name("Cafe\u0301") == insist_name("Café")


@pytest.mark.parametrize(
    "alias", ["latest", "LATEST", "v7", "V12", "", ".a", "a b", "a/b", "x" * 256]
)
def test_an_alias_never_looks_like_a_version(alias):
    with pytest.raises(Invalid):
        insist_alias(alias)


def test_tags_are_text_and_bounded():
    assert insist_tags({"team": "risk", "n": 3}) == {"team": "risk", "n": "3"}
    for bad in ({"a": "\x00"}, {"a": "x" * 100_001}, {str(n): "" for n in range(501)}, {"a": []}):
        with pytest.raises(Invalid):
            insist_tags(bad)
