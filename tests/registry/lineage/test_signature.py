"""A signature against a table and against what an endpoint is sent."""

import pytest

from registry.signature import check_columns, check_dataset, worst

INPUTS = [
    {"name": "age", "type": "long", "required": True},
    {"name": "income", "type": "double"},
    {"name": "city", "type": "string"},
    {"name": "note", "type": "string", "required": False},
]


def column(name, kind, **more):
    return {"name": name, "type": kind, "nulls": 0, **more}


TABLE = [column("age", "integer"), column("income", "number"), column("city", "text")]


def said(differences):
    return [(it.problem.value, it.severity.value, it.column) for it in differences]


def test_a_table_that_fits_says_only_what_may_be_left_out():
    found = check_dataset(INPUTS, [*TABLE, column("label", "integer")], apart=["label"])

    assert said(found) == [("missing", "note", "note")]
    assert worst(found) == "note"
    assert worst([]) is None


def test_missing_extra_and_order_with_the_gravest_first():
    found = check_dataset(INPUTS, [column("note", "text"), column("x", "text"), *TABLE[:2]])

    assert said(found) == [
        ("missing", "error", "city"),
        ("extra", "note", "x"),
        ("order", "note", "note"),
    ]
    assert "from column 1 on" in found[2].sentence


@pytest.mark.parametrize(
    ("wanted", "actual", "severity"),
    [
        ("double", "number", None),
        ("double", "integer", None),
        ("float", "boolean", "warning"),
        ("double", "text", "error"),
        ("long", "integer", None),
        ("integer", "number", "error"),
        ("long", "boolean", "warning"),
        ("long", "text", "error"),
        ("string", "text", None),
        ("string", "integer", "error"),
        ("boolean", "boolean", None),
        ("boolean", "text", "error"),
        ("datetime", "time", None),
        ("datetime", "text", "warning"),
        ("datetime", "number", "error"),
        ("tensor", "text", None),
    ],
)
def test_types(wanted, actual, severity):
    found = check_dataset([{"name": "a", "type": wanted}], [column("a", actual)])

    assert worst(found) == severity
    if found:
        assert (found[0].expected, found[0].found) == (wanted, actual)


def test_zero_and_one_may_be_meant_as_yes_or_no():
    wanted = [{"name": "a", "type": "boolean"}]

    assert worst(check_dataset(wanted, [column("a", "integer", min=0, max=1)])) == "warning"
    assert worst(check_dataset(wanted, [column("a", "integer", min=0, max=2)])) == "error"


def test_empty_cells_where_none_can_be():
    found = check_dataset(INPUTS[:1], [column("age", "integer", nulls=3)])

    assert said(found) == [("nulls", "warning", "age")]
    assert found[0].sentence == "“age” is empty in 3 rows, and a long cannot be."
    optional = [{**INPUTS[0], "required": False}]
    assert check_dataset(optional, [column("age", "integer", nulls=3)]) == []


def test_what_an_endpoint_is_sent():
    assert check_columns(INPUTS, ["age", "income", "city", "note"]) == []
    assert said(check_columns(INPUTS, ["income", "age", "zip"])) == [
        ("missing", "error", "city"),
        ("extra", "warning", "zip"),
        ("order", "warning", "income"),
        ("missing", "note", "note"),
    ]
