"""A question as a ``tsquery``; every word is a parameter, quoted once more for its own grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import BooleanField, F, FloatField, Func, TextField, Value
from django.db.models.expressions import RawSQL

if TYPE_CHECKING:
    from registry.fulltext.words import Term, Wanted

Snippet = tuple[str, list[str]]


def tsquery(wanted: Wanted) -> Snippet:
    """SQL of type ``tsquery`` with its parameters; made of constants, so it is computed once."""
    sql, params = [], []
    for terms in wanted.alternatives:
        parts = [_term(term) for term in terms]
        sql.append("(" + " && ".join(part for part, _ in parts) + ")")
        params += [value for _, values in parts for value in values]
    return "(" + " || ".join(sql) + ")", params


def matches(wanted: Wanted) -> Func:
    """Whether the row's words answer the question."""
    return Func(
        _Words(F("pk")),
        _query(wanted),
        template="%(expressions)s",
        arg_joiner=" @@ ",
        output_field=BooleanField(),
    )


def rank(wanted: Wanted) -> Func:
    """How well they do, above 0; a name weighs more than a text, a short text more than a long."""
    by_length = Value(1)
    return Func(
        _Words(F("pk")),
        _query(wanted),
        by_length,
        function="ts_rank",
        output_field=FloatField(),
    )


class _Words(Func):
    """The column ``search_words`` of the table that the key is of.

    Django does not know the column (migration 0006), but it knows by which name each query calls
    the table; the key's column says so, also inside of subqueries.
    """

    arity = 1
    output_field = TextField()

    def as_sql(  # type: ignore[override]
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, tuple[()]]:
        key = self.get_source_expressions()[0]
        return f'{compiler.quote_name_unless_alias(key.alias)}."search_words"', ()


def _query(wanted: Wanted) -> RawSQL:
    query, params = tsquery(wanted)
    # Made of constants; whatever was typed is in the parameters.
    return RawSQL(query, params, output_field=TextField())  # noqa: S611


def _term(term: Term) -> Snippet:
    following = " <-> ".join(_quote(word) for word in term.words)
    ahead = f"{following}:*" if term.prefix else following
    # As it was typed (names, digests, beginnings), or by its stem ("predictions", "predict").
    sql = "(to_tsquery('simple', %s) || to_tsquery('english', %s))"
    return ("!!" + sql if term.negated else sql), [ahead, following]


def _quote(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def stems(words: tuple[str, ...]) -> dict[str, str]:
    """What English makes of each word; one query."""
    if not words:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, (ts_lexize('english_stem', word))[1] FROM unnest(%s::text[]) AS word",
            [list(words)],
        )
        rows: list[tuple[str, Any]] = cursor.fetchall()
    return {word: stem for word, stem in rows if stem}
