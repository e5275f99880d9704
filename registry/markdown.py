"""Markdown that strangers wrote, as HTML that a page can show. Pure.

Two independent doors: the parser never lets HTML through (it is shown as text), and what it makes
is cleaned against a short list of tags. No images (they call home), no addresses but http, https
and mailto, and every link says that we do not vouch for it.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import nh3
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

_TEXT = ("p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "a")
_LISTS = ("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td")
TAGS = frozenset((*_TEXT, *_LISTS, "h3", "h4", "h5", "h6"))
SCHEMES = frozenset({"http", "https", "mailto"})
#: The page's own headings end at the second level.
FIRST_HEADING = 3


@lru_cache(maxsize=512)
def render(text: str) -> SafeString:
    """The text as HTML; safe to stand in a page whatever the text is.

    10,000 characters meant to be slow ("[[[[…") take a third of a second, once a process.
    """
    return SafeString(  # cleaned in the same breath
        nh3.clean(
            _parser().render(text),
            tags=set(TAGS),
            attributes={"*": set(), "a": {"href"}},
            url_schemes=set(SCHEMES),
            # A relative address would lead into this site, where a click acts as the reader.
            url_relative="deny",
            link_rel="nofollow noopener noreferrer",
        )
    )


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(
        ["table", "strikethrough"]
    )
    parser.disable("image")
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
    return parser


def _heading(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    level = min(6, int(tokens[index].tag[1:]) + FIRST_HEADING - 1)
    return f"<h{level}>" if tokens[index].nesting == 1 else f"</h{level}>\n"
