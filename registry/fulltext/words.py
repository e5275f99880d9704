"""What somebody typed into a search box, understood. Pure: knows no database.

The grammar forgives: words narrow, ``"in quotes"`` is a phrase, ``-word`` must not be there,
``or`` starts an alternative, and whatever else stands there (open quotes, brackets, operators of
other engines) is text. Words match from their beginning, names also in their parts.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MOST_CHARACTERS = 200
MOST_TERMS = 12
#: Joins words in names and addresses: split here and in the columns (migration 0006) alike.
JOINTS = r"""-_./:@<>&"{}[](),;=|#\+*~"""
_SPLIT = re.compile("[" + re.escape(JOINTS) + r"\s]+")
_TERM = re.compile(r'(-?)"([^"]*)(?:"|$)|(\S+)')
#: Words that say nothing in a question asked in a sentence.
_EMPTY = frozenset(
    (  # noqa: SIM905 - a list of one-word strings would fill a page
        "a an and are as at be by for from has have in is it its of on that the these this to was"
        " were what when where which who whose with"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Term:
    """Words that stand in this order; the last one may go on (``prefix``)."""

    words: tuple[str, ...]
    prefix: bool = True
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Alternatives of terms that must all hold; empty when nothing was asked for."""

    alternatives: tuple[tuple[Term, ...], ...]

    def __bool__(self) -> bool:
        return bool(self.alternatives)

    @property
    def shown(self) -> tuple[str, ...]:
        """The words worth marking in a text, each once."""
        found = (
            word
            for terms in self.alternatives
            for term in terms
            if not term.negated
            for word in term.words
        )
        return tuple(dict.fromkeys(found))


def understand(text: str) -> Wanted:
    """The question in a text of at most ``MOST_CHARACTERS``; never raises."""
    # Format characters and lone surrogates are no words, and PostgreSQL's text holds no NUL.
    kept = "".join(
        " " if unicodedata.category(char) in {"Cc", "Cf", "Cs"} else char
        for char in text[:MOST_CHARACTERS]
    )
    alternatives: list[list[Term]] = [[]]
    for found in list(_TERM.finditer(kept))[: MOST_TERMS * 2]:
        minus, quoted, bare = found.groups()
        if bare is not None and bare.lower() in {"or", "|"}:
            alternatives.append([])
            continue
        term = _term(bare) if bare is not None else _quoted(quoted, negated=bool(minus))
        if term is not None:
            alternatives[-1].append(term)
    kept_terms = [tuple(_without_empty(terms)[:MOST_TERMS]) for terms in alternatives if terms]
    return Wanted(tuple(kept_terms))


def split(text: str) -> tuple[str, ...]:
    """The words of a text, in lower case."""
    return tuple(word for word in _SPLIT.split(text.lower()) if _says_something(word))


def _term(bare: str) -> Term | None:
    negated = len(bare) > 1 and bare.startswith("-")
    words = split(bare)
    if words[:1] == ("sha256",) and len(words) > 1:
        words = words[1:]
    if not words:
        return None
    # A single letter or digit goes on nowhere: “1.0” is not “1.05”, and “a” is not everything.
    return Term(words, prefix=len(words[-1]) > 1, negated=negated)


def _quoted(quoted: str, *, negated: bool) -> Term | None:
    words = split(quoted)
    return Term(words, prefix=False, negated=negated) if words else None


def _without_empty(terms: list[Term]) -> list[Term]:
    kept = [term for term in terms if not (term.prefix and set(term.words) <= _EMPTY)]
    return kept if any(not term.negated for term in kept) else terms


def _says_something(word: str) -> bool:
    return any(char.isalnum() for char in word)
