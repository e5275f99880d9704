"""The grammar alone: what is understood, and that nothing else gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.mlflow.search.errors import SearchRefused
from registry.mlflow.search.grammar import (
    MODELS,
    VERSIONS,
    Clause,
    Order,
    parse_filter,
    parse_order,
)
from registry.mlflow.search.lexer import MAX_FILTER


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", []),
        ("   ", []),
        ("name = 'a'", [Clause(False, "name", "=", "a")]),
        ("name='a'", [Clause(False, "name", "=", "a")]),
        ('name = "it\'s"', [Clause(False, "name", "=", "it's")]),
        ("name = 'it''s'", [Clause(False, "name", "=", "it's")]),
        ("attribute.name != ''", [Clause(False, "name", "!=", "")]),
        ("name iLike '%x_'", [Clause(False, "name", "ILIKE", "%x_")]),
        ("name in ('a',\"b\")", [Clause(False, "name", "IN", ("a", "b"))]),
        ("name NOT  IN ('a',)", [Clause(False, "name", "NOT IN", ("a",))]),
        ("run_id IN('a')", [Clause(False, "run_id", "IN", ("a",))]),
        ("source_path like 's3://%'", [Clause(False, "source_path", "LIKE", "s3://%")]),
        ("version_number >= 3", [Clause(False, "version_number", ">=", 3)]),
        ("version_number>-1", [Clause(False, "version_number", ">", -1)]),
        ("version_number = '12'", [Clause(False, "version_number", "=", 12)]),
        ("tags.stage = 'x'", [Clause(True, "stage", "=", "x")]),
        ("tag.`a b.c` != 'x'", [Clause(True, "a b.c", "!=", "x")]),
        ("tags.\"a'b\" = 'x'", [Clause(True, "a'b", "=", "x")]),
        ("tags.mlflow.user = 'x'", [Clause(True, "mlflow.user", "=", "x")]),
        ("tags.and = 'and'", [Clause(True, "and", "=", "and")]),
        (
            "name = 'a AND b' and\n tags.k = ';' AND run_id = '--'",
            [
                Clause(False, "name", "=", "a AND b"),
                Clause(True, "k", "=", ";"),
                Clause(False, "run_id", "=", "--"),
            ],
        ),
        ("AND name = 'a' AND", [Clause(False, "name", "=", "a")]),
    ],
)
def test_what_clients_write_is_understood(text: str, clauses: list[Clause]) -> None:
    assert parse_filter(text, VERSIONS) == clauses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name", "Expected 3 tokens"),
        ("name =", "Expected 3 tokens"),
        ("name = a", "not quoted"),
        ("name = `a`", "Invalid clause"),
        ("name = 'a", "not closed"),
        ("name = 5", "numeric values"),
        ("name = ('a')", "with a list"),
        ("name < 'a'", "Invalid comparator for attribute: <"),
        ("name == 'a'", "Invalid comparator for attribute: =="),
        ("name <> 'a'", "Invalid comparator for attribute: <>"),
        ("name NOT LIKE 'a'", "Invalid comparator for attribute: NOT LIKE"),
        ("name RLIKE 'a'", "Invalid comparator for attribute: RLIKE"),
        ("name IS NULL", "Invalid comparator for attribute: IS NULL"),
        ("name IN ()", "got empty list"),
        ("name IN 'a'", "ill-formed list"),
        ("name IN ('a'", "ill-formed list"),
        ("name IN ('a' 'b')", "ill-formed list"),
        ("name IN ('a', 1)", "different type in list"),
        ("name IN ('a',,)", "different type in list"),
        ("source_path IN ('a')", "attributes support comparison with a list"),
        ("version_number IN (1)", "attributes support comparison with a list"),
        ("version_number LIKE '1'", "Invalid comparator for attribute version_number: LIKE"),
        ("version_number = 1.5", "Invalid value for numeric attribute"),
        ("version_number = 'x'", "Invalid value for numeric attribute"),
        ("version_number = " + "9" * 5000, "Invalid value for numeric attribute"),
        ("name = 'a' OR name = 'b'", "Invalid clause(s) in filter string: OR"),
        ("name = 'a' name = 'b'", "Invalid clause(s) in filter string: name"),
        ("NOT name = 'a'", "Invalid clause(s)"),
        ("(name = 'a')", "Invalid clause(s)"),
        ("'a' = name", "Invalid clause(s)"),
        ("name = 'a';", "multiple expression"),
        ("name = 'a'; DROP TABLE x", "multiple expression"),
        ("name = 'a' -- x", "Invalid clause(s)"),
        ("name = 'a' /* x */", "Invalid clause(s)"),
        ("colour = 'a'", "Invalid attribute key 'colour'"),
        ("current_stage = 'a'", "Invalid attribute key"),
        ("Name = 'a'", "Invalid attribute key"),
        ("params.x = 'a'", "Invalid entity type 'params'"),
        ("tags.k > 'a'", "Invalid comparator for tag: >"),
        ("tags.k IN ('a')", "Invalid comparator for tag: IN"),
        ("tags.k = 5", "Expected a quoted string value for tag"),
        ("tags.my-key = 'a'", "Invalid"),
        ("name = 'a\x00b'", "NUL"),
        ("name = '\ud800'", "Unicode"),
        ("name = '" + "x" * MAX_FILTER + "'", "at most 20,000 characters"),
        (" AND ".join(["name = 'a'"] * 101), "at most 100 clauses"),
        ("name IN (" + "'a'," * 1001 + ")", "at most 1,000 values"),
    ],
)
def test_the_rest_is_refused_with_what_is_at_fault(text: str, message: str) -> None:
    with pytest.raises(SearchRefused) as caught:
        parse_filter(text, VERSIONS)

    assert message in caught.value.message
    assert len(caught.value.message) < 600


def test_models_know_their_name_and_tags_only() -> None:
    assert parse_filter("name = 'a' AND tags.k LIKE 'x%'", MODELS)
    for text in ("run_id = 'a'", "version_number = 1", "source_path = 'x'"):
        with pytest.raises(SearchRefused, match="Invalid attribute key"):
            parse_filter(text, MODELS)
    with pytest.raises(SearchRefused, match="Expected a quoted string value"):
        parse_filter("name = 5", MODELS)


@pytest.mark.parametrize(
    ("given", "orders"),
    [
        ([], []),
        (["name"], [Order("name")]),
        (
            ["name ASC", "creation_timestamp  desc"],
            [Order("name"), Order("creation_timestamp", True)],
        ),
        (["attribute.version_number DESC"], [Order("version_number", True)]),
        (["`name` desc"], [Order("name", True)]),
    ],
)
def test_orders_are_understood(given: list[str], orders: list[Order]) -> None:
    assert parse_order(given, VERSIONS) == orders


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([""], "Could not be parsed"),
        (["name asc desc"], "Could not be parsed"),
        (["name sideways"], "Invalid ordering key"),
        (["colour"], "Invalid order by key 'colour'"),
        (["tags.k"], "Invalid order by key"),
        (["name; select 1"], "Could not be parsed"),
        (["name", "version_number", "name DESC"], "duplicate fields"),
        (["x" * 2000], "at most"),
    ],
)
def test_other_orders_are_refused(given: list[str], message: str) -> None:
    with pytest.raises(SearchRefused, match=message):
        parse_order(given, VERSIONS)


def test_timestamp_and_last_updated_timestamp_are_one_order_of_models() -> None:
    assert parse_order(["timestamp DESC"], MODELS) == [Order("last_updated_timestamp", True)]
    with pytest.raises(SearchRefused, match="duplicate"):
        parse_order(["timestamp", "last_updated_timestamp"], MODELS)
    with pytest.raises(SearchRefused, match="Invalid order by key"):
        parse_order(["creation_timestamp"], MODELS)


WORDS = [
    *("name", "tags.k", "tag.`x`", "version_number", "=", "!=", "<", "LIKE", "ilike", "IN", "NOT"),
    *("(", ")", ",", "'a'", '"b"', "'", "`", "1", "-2.5", "AND", "OR", ";"),
]


@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(WORDS),
            max_size=14,
        ).map(" ".join),
    )
)
def test_any_text_is_clauses_or_a_refusal(text: str) -> None:
    for entity in (MODELS, VERSIONS):
        try:
            clauses = parse_filter(text, entity)
        except SearchRefused:
            continue
        for clause in clauses:
            assert clause.is_tag or clause.key in entity.texts | entity.numbers


keys = st.text(st.characters(exclude_characters="`\x00", exclude_categories=["Cs"]), max_size=9)
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)


@given(
    st.lists(
        st.tuples(
            st.text(
                st.characters(exclude_characters="`\x00", exclude_categories=["Cs"]), max_size=9
            ),
            st.sampled_from(["=", "!=", "LIKE", "ILIKE"]),
            texts,
        ),
        max_size=5,
    )
)
def test_what_is_quoted_comes_back_as_it_was(clauses: list[tuple[str, str, str]]) -> None:
    text = " AND ".join(
        f"tags.`{key}` {comparator} '" + value.replace("'", "''") + "'"
        for key, comparator, value in clauses
    )

    assert parse_filter(text, VERSIONS) == [Clause(True, *clause) for clause in clauses]
