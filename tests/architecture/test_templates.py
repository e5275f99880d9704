"""What every template keeps: no inline script or style, parts that say their context."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(
    path
    for folder in [ROOT / "templates", *ROOT.glob("*/templates")]
    for path in folder.rglob("*.html")
)
PAGES = [path for path in TEMPLATES if "email" not in path.parts and "mail" not in path.parts]
PARTS = [path for path in TEMPLATES if path.name.startswith("_")]

INLINE = {
    # json_script's own blocks are data; a script with src has nothing between its tags
    "script": re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*type=[\"']application/json)[^>]*>", re.I),
    "style element": re.compile(r"<style\b", re.I),
    "style attribute": re.compile(r"<[^>]*\sstyle\s*=", re.I),
    "event handler": re.compile(r"<[^>]*\son[a-z]+\s*=", re.I),
    "javascript: address": re.compile(r"(href|src|action)\s*=\s*[\"']\s*javascript:", re.I),
    "hx-on": re.compile(r"\bhx-on[:-]", re.I),
    "CDN": re.compile(r"<(script|link|img|iframe)[^>]*\b(src|href)\s*=\s*[\"'](https?:)?//", re.I),
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def found_in(text: str) -> list[str]:
    # comments may speak of what the markup may not hold
    bare = re.sub(
        r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}|<!--.*?-->", "", text, flags=re.S
    )
    return [what for what, pattern in INLINE.items() if pattern.search(bare)]


def test_there_are_templates():
    assert len(TEMPLATES) > 20
    assert len(PARTS) > 10


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_nothing_is_inline(path):
    assert found_in(path.read_text()) == []


@pytest.mark.parametrize(
    "markup",
    [
        "<script>go()</script>",
        "<style>p{}</style>",
        '<p style="color:red">',
        '<a onclick="go()">',
        '<a href="javascript:go()">',
        '<script src="https://cdn.example/x.js"></script>',
    ],
)
def test_the_search_finds_what_it_looks_for(markup):
    assert found_in(markup) != []


@pytest.mark.parametrize("path", PARTS, ids=name)
def test_a_part_says_its_context_on_line_one(path):
    assert path.read_text().startswith("{# Context:"), "line 1: {# Context: names of variables. #}"
