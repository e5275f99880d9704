"""A filter as a list of tokens (pure)."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from registry.mlflow.search.errors import SearchRefused, shown

#: More than any client writes; what is longer is refused before it is looked at.
MAX_FILTER = 20_000


class Kind(Enum):
    """What a token is."""

    KEY = "key"
    TEXT = "text"
    NUMBER = "number"
    COMPARATOR = "comparator"
    OPEN = "("
    CLOSE = ")"
    COMMA = ","


class Token(NamedTuple):
    """``text`` is without quotes for TEXT; for KEY it is as written."""

    kind: Kind
    text: str
    start: int


# A key may go on after a dot in backticks or quotes: tags.`a b`, tags."a.b", tags.mlflow.user.
_TOKEN = re.compile(
    r"""
    \s*(?:
        (?P<text>  '(?:[^']|'')*' | "(?:[^"]|"")*" )
      | (?P<number> [+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]) )
      | (?P<key> [^\W\d]\w* (?: \. (?: `[^`]*` | "[^"]*" | '[^']*' | \w+ ) )* )
      | (?P<comparator> <= | >= | != | <> | == | = | < | > )
      | (?P<open> \( ) | (?P<close> \) ) | (?P<comma> , )
    )
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"\s*\Z")
_KINDS = {
    "text": Kind.TEXT,
    "number": Kind.NUMBER,
    "key": Kind.KEY,
    "comparator": Kind.COMPARATOR,
    "open": Kind.OPEN,
    "close": Kind.CLOSE,
    "comma": Kind.COMMA,
}


def tokens(text: str) -> list[Token]:
    """The filter's tokens in order. Raises: SearchRefused."""
    if len(text) > MAX_FILTER:
        raise SearchRefused(
            f"Invalid filter: at most {MAX_FILTER:,} characters, these are {len(text):,}."
        )
    found: list[Token] = []
    at = 0
    while not _SPACE.match(text, at):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise SearchRefused(_why_not(text[at:].lstrip()))
        value = match[match.lastgroup]
        if match.lastgroup == "text":
            quote = value[0]
            value = value[1:-1].replace(quote * 2, quote)
        found.append(Token(_KINDS[match.lastgroup], value, match.start(match.lastgroup)))
        at = match.end()
    return found


def _why_not(rest: str) -> str:
    if rest.startswith(";"):
        return (
            "Search filter contained multiple expression. Provide AND-ed expression list "
            f"without “;”, found {shown(rest)!r}."
        )
    if rest[0] in "'\"":
        return f"Invalid filter: a quoted value is not closed: {shown(rest)}"
    return f"Invalid clause(s) in filter string: {shown(rest)}"
