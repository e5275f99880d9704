"""MLflow's search grammar (pure): ``key comparator value`` joined by AND, and what to order by.

Strings stand in single quotes (doubled inside) or double ones. Keys: an attribute with or without
``attribute.`` before it, or a tag as ``tags.key`` / ``tag.key`` with backticks or quotes round odd
ones. Errors say what MLflow's say, with the value at fault.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from registry.mlflow.search.errors import SearchRefused, shown
from registry.mlflow.search.lexer import Kind, Token, tokens

MAX_CLAUSES = 100
MAX_LIST = 1000
MAX_ORDER_BY = 1000
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*\Z")

TEXT_COMPARATORS = frozenset({"=", "!=", "LIKE", "ILIKE"})
LIST_COMPARATORS = frozenset({"IN", "NOT IN"})
NUMBER_COMPARATORS = frozenset({"=", "!=", "<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Entity:
    """What is searched: its attributes and what it can be ordered by."""

    texts: frozenset[str]
    numbers: frozenset[str]
    lists: frozenset[str]
    orders: dict[str, str]  # as written → the attribute it stands for
    order_takes_prefix: bool

    @property
    def attributes(self) -> list[str]:
        return sorted(self.texts | self.numbers)


MODELS = Entity(
    texts=frozenset({"name"}),
    numbers=frozenset(),
    lists=frozenset({"name"}),
    orders={
        "name": "name",
        "timestamp": "last_updated_timestamp",
        "last_updated_timestamp": "last_updated_timestamp",
    },
    order_takes_prefix=False,
)
VERSIONS = Entity(
    texts=frozenset({"name", "run_id", "source_path"}),
    numbers=frozenset({"version_number"}),
    lists=frozenset({"name", "run_id"}),
    orders={
        key: key
        for key in ("name", "version_number", "creation_timestamp", "last_updated_timestamp")
    },
    order_takes_prefix=True,
)


class Clause(NamedTuple):
    """One comparison; ``value`` is text, a whole number, or texts for IN and NOT IN."""

    is_tag: bool
    key: str
    comparator: str
    value: str | int | tuple[str, ...]


class Order(NamedTuple):
    """One thing to order by."""

    key: str
    is_descending: bool = False


def parse_filter(text: str | None, entity: Entity) -> list[Clause]:
    """The filter's clauses, all of which must hold. Raises: SearchRefused."""
    if not text:
        return []
    _insist_storable(text)
    parser = _Parser(text, tokens(text), entity)
    clauses = parser.clauses()
    if len(clauses) > MAX_CLAUSES:
        raise SearchRefused(
            f"Invalid filter: at most {MAX_CLAUSES} clauses, these are {len(clauses)}."
        )
    return clauses


def parse_order(given: Sequence[str], entity: Entity) -> list[Order]:
    """What to order by, each key once; ties are broken elsewhere. Raises: SearchRefused."""
    orders: list[Order] = []
    for text in given:
        order = _order(text, entity)
        if any(order.key == other.key for other in orders):
            clauses = shown(str(list(given)))
            raise SearchRefused(f"`order_by` contains duplicate fields: {clauses}")
        orders.append(order)
    return orders


class _Parser:
    """One pass over the tokens, nothing is looked at twice."""

    def __init__(self, text: str, found: list[Token], entity: Entity) -> None:
        self.text = text
        self.tokens = found
        self.entity = entity
        self.at = 0

    def clauses(self) -> list[Clause]:
        found: list[Clause] = []
        is_first = True
        while True:
            joined = self._skip_ands()
            if self.at == len(self.tokens):
                return found
            if not is_first and not joined:
                raise self._invalid_clause()
            found.append(self._clause())
            is_first = False

    def _clause(self) -> Clause:
        start = self.at
        token = self._next()
        if token is None or token.kind is not Kind.KEY:
            self.at = start
            raise self._invalid_clause()
        if token.text.upper() in ("OR", "NOT"):
            self.at = start
            raise self._invalid_clause()
        is_tag, key = _key(token.text, self.entity)
        comparator = self._comparator()
        self._insist_comparator(is_tag, key, comparator)
        value = self._value(is_tag, key)
        if comparator in LIST_COMPARATORS and not isinstance(value, tuple):
            raise SearchRefused(
                "While parsing a list in the query, expected a non-empty list of string values, "
                "but got ill-formed list."
            )
        if isinstance(value, tuple) and comparator not in LIST_COMPARATORS:
            raise SearchRefused(f"Invalid comparator for attribute: {comparator} with a list")
        return Clause(is_tag, key, comparator, value)

    def _comparator(self) -> str:
        token = self._next()
        if token is None:
            raise SearchRefused("Invalid comparison clause. Expected 3 tokens found 1")
        if token.kind is Kind.COMPARATOR:
            return token.text
        if token.kind is not Kind.KEY:
            raise SearchRefused(
                f"Invalid comparison clause. Expected comparison found '{shown(token.text)}'"
            )
        word = token.text.upper()
        if word in ("NOT", "IS") and self._peek() is not None:
            following = self._peek()
            if following is not None and following.kind is Kind.KEY:
                self.at += 1
                word = f"{word} {following.text.upper()}"
        return word

    def _insist_comparator(self, is_tag: bool, key: str, comparator: str) -> None:
        if is_tag:
            if comparator not in TEXT_COMPARATORS:
                raise SearchRefused(f"Invalid comparator for tag: {shown(comparator)}")
        elif key in self.entity.numbers:
            if comparator in LIST_COMPARATORS:
                raise SearchRefused(self._lists_only())
            if comparator not in NUMBER_COMPARATORS:
                raise SearchRefused(f"Invalid comparator for attribute {key}: {shown(comparator)}")
        elif comparator in LIST_COMPARATORS:
            if key not in self.entity.lists:
                raise SearchRefused(self._lists_only())
        elif comparator not in TEXT_COMPARATORS:
            raise SearchRefused(f"Invalid comparator for attribute: {shown(comparator)}")

    def _value(self, is_tag: bool, key: str) -> str | int | tuple[str, ...]:
        token = self._next()
        if token is None:
            raise SearchRefused("Invalid comparison clause. Expected 3 tokens found 2")
        is_number = not is_tag and key in self.entity.numbers
        if is_number and token.kind in (Kind.TEXT, Kind.NUMBER):
            return _integer(key, token.text)
        if token.kind is Kind.TEXT:
            return token.text
        if is_tag:
            raise SearchRefused(
                "Expected a quoted string value for tag (e.g. 'my-value'). "
                f"Got value {shown(token.text)}"
            )
        if token.kind is Kind.OPEN:
            if key not in self.entity.lists:
                raise SearchRefused(self._lists_only())
            return self._list()
        if token.kind is Kind.NUMBER and self.entity.numbers:
            raise SearchRefused(
                f"Only the '{sorted(self.entity.numbers)}' attributes support comparison with "
                "numeric values."
            )
        if token.kind is Kind.KEY:
            raise SearchRefused(
                "Parameter value is either not quoted or unidentified quote types used for string "
                f"value {shown(token.text)}. Use either single or double quotes."
            )
        raise SearchRefused(
            "Expected a quoted string value or a list of quoted string values for attributes. "
            f"Got value {shown(token.text)}"
        )

    def _list(self) -> tuple[str, ...]:
        values: list[str] = []
        token = self._next()
        while token is not None and token.kind is not Kind.CLOSE:
            if token.kind is not Kind.TEXT:
                raise SearchRefused(
                    "While parsing a list in the query, expected string value, punctuation, or "
                    f"whitespace, but got different type in list: {shown(token.text)}"
                )
            values.append(token.text)
            token = self._next()
            if token is not None and token.kind is Kind.COMMA:
                token = self._next()
            elif token is None or token.kind is not Kind.CLOSE:
                break
        if token is None or token.kind is not Kind.CLOSE:
            raise SearchRefused(
                "While parsing a list in the query, expected a non-empty list of string values, "
                "but got ill-formed list."
            )
        if not values:
            raise SearchRefused(
                "While parsing a list in the query, expected a non-empty list of string values, "
                "but got empty list"
            )
        if len(values) > MAX_LIST:
            raise SearchRefused(f"A list has at most {MAX_LIST:,} values, this has {len(values):,}")
        return tuple(values)

    def _lists_only(self) -> str:
        return (
            f"Only {sorted(self.entity.lists)} attributes support comparison with a list of "
            "quoted string values."
        )

    def _skip_ands(self) -> bool:
        skipped = False
        token = self._peek()
        while token is not None and token.kind is Kind.KEY and token.text.upper() == "AND":
            self.at += 1
            skipped = True
            token = self._peek()
        return skipped

    def _next(self) -> Token | None:
        token = self._peek()
        if token is not None:
            self.at += 1
        return token

    def _peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _invalid_clause(self) -> SearchRefused:
        rest = self.text[self.tokens[self.at].start :]
        return SearchRefused(f"Invalid clause(s) in filter string: {shown(rest)}")


def _key(text: str, entity: Entity) -> tuple[bool, str]:
    prefix, dot, rest = text.partition(".")
    if not dot:
        key, is_tag = prefix, False
    elif prefix in ("tag", "tags"):
        key, is_tag = _unquoted(rest), True
    elif prefix == "attribute":
        key, is_tag = _unquoted(rest), False
    else:
        raise SearchRefused(
            f"Invalid entity type '{shown(prefix)}'. "
            "Valid entity types are ('attribute', 'tag', 'tags')"
        )
    if not is_tag and key not in entity.texts and key not in entity.numbers:
        raise SearchRefused(
            f"Invalid attribute key '{shown(key)}' specified. Valid keys are '{entity.attributes}'"
        )
    return is_tag, key


def _unquoted(key: str) -> str:
    if len(key) >= 2 and key[0] == key[-1] and key[0] in "`\"'":
        return key[1:-1]
    return key


def _integer(key: str, text: str) -> int:
    if not _INTEGER.match(text):
        raise SearchRefused(f"Invalid value for numeric attribute '{key}': {shown(text)!r}")
    return int(text)


def _order(text: str, entity: Entity) -> Order:
    if len(text) > MAX_ORDER_BY:
        raise SearchRefused(f"Invalid order_by clause: at most {MAX_ORDER_BY:,} characters.")
    words = text.split()
    if not 1 <= len(words) <= 2:
        raise SearchRefused(f"Invalid order_by clause '{shown(text)}'. Could not be parsed.")
    key = words[0]
    if entity.order_takes_prefix and key.startswith("attribute."):
        key = key.removeprefix("attribute.")
    key = _unquoted(key)
    if len(words) == 2 and words[1].lower() not in ("asc", "desc"):
        raise SearchRefused(f"Invalid ordering key in order_by clause '{shown(text)}'.")
    if key not in entity.orders:
        raise SearchRefused(
            f"Invalid order by key '{shown(key)}' specified. Valid keys are "
            f"'{sorted(entity.orders)}'"
        )
    return Order(entity.orders[key], len(words) == 2 and words[1].lower() == "desc")


def _insist_storable(text: str) -> None:
    """PostgreSQL keeps neither NUL nor half a surrogate pair, so nothing there can equal one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SearchRefused("Invalid filter: it is no valid Unicode text.") from None
    if "\x00" in text:
        raise SearchRefused("Invalid filter: text holds no NUL character.")
