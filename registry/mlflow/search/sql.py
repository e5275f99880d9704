"""Clauses and orders as SQL (pure): every fragment is a constant, every value a parameter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from registry.mlflow.search.grammar import MODELS, Clause, Entity, Order

IS_PROMPT = "mlflow.prompt.is_prompt"
_PROMPT = json.dumps({IS_PROMPT: "true"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)

_COLUMNS = {
    "name": "m.name",
    "run_id": "v.run_id",
    "source_path": "v.source",
    "version_number": "v.number",
}
_OPERATORS = {
    "=": "= %s",
    "!=": "<> %s",
    "LIKE": "LIKE %s",
    "ILIKE": "ILIKE %s",
    "IN": "= ANY(%s)",
    "NOT IN": "<> ALL(%s)",
    "<": "< %s",
    "<=": "<= %s",
    ">": "> %s",
    ">=": ">= %s",
}
_MODEL_ORDERS = {"name": "m.name", "last_updated_timestamp": "m.updated_at"}
_VERSION_ORDERS = {
    "name": "m.name",
    "version_number": "v.number",
    "creation_timestamp": "v.created_at",
    "last_updated_timestamp": "v.updated_at",
}
_VERSION_DEFAULT = (
    Order("last_updated_timestamp", is_descending=True),
    Order("name"),
    Order("version_number", is_descending=True),
)


class Sql(NamedTuple):
    """A piece of a statement and what goes into its places."""

    text: str
    parameters: list[Any]


def conditions(clauses: Sequence[Clause], entity: Entity) -> Sql:
    """All of the clauses, joined by AND; prompts are left out unless the clauses ask for them.

    MLflow's client adds ``tag.mlflow.prompt.is_prompt != 'true'`` to every search for models, and
    models lack that tag: this clause alone holds where the tag is missing.
    """
    wants_prompts = _wants_prompts(clauses)
    pieces: list[str] = []
    parameters: list[Any] = []
    for clause in clauses:
        if clause.is_tag and clause.key == IS_PROMPT and not wants_prompts:
            continue
        text, values = _tag(clause, entity) if clause.is_tag else _attribute(clause)
        pieces.append(text)
        parameters += values
    if not wants_prompts:
        # A version of a prompt is one by its model; most are tagged themselves, too.
        for tags in ("m.tags",) if entity is MODELS else ("m.tags", "v.tags"):
            pieces.append(f"NOT {tags} @> %s::jsonb")
            parameters.append(_PROMPT)
    return Sql(" AND ".join(pieces) or "TRUE", parameters)


def whole_order(orders: Sequence[Order], entity: Entity) -> list[Order]:
    """With ties broken, so that every row has one place: by name, then the newest number."""
    if entity is MODELS:
        ties: Sequence[Order] = [Order("name")]
    else:
        orders = orders or _VERSION_DEFAULT
        ties = [Order("name"), Order("version_number", is_descending=True)]
    known = {order.key for order in orders}
    return [*orders, *(tie for tie in ties if tie.key not in known)]


def order_by(orders: Sequence[Order], entity: Entity) -> str:
    """The ORDER BY list."""
    columns = _columns(entity)
    return ", ".join(
        f"{columns[order.key]} {'DESC' if order.is_descending else 'ASC'}" for order in orders
    )


def order_values(orders: Sequence[Order], entity: Entity) -> str:
    """The columns that are ordered by as a token can hold them: moments as microseconds."""
    columns = _columns(entity)
    return ", ".join(
        f"(extract(epoch FROM {columns[order.key]}) * 1000000)::bigint"
        if order.key.endswith("timestamp")
        else columns[order.key]
        for order in orders
    )


def after(orders: Sequence[Order], entity: Entity, values: Sequence[Any]) -> Sql:
    """Rows behind the one with these values; the first column alone also bounds the index."""
    columns = _columns(entity)
    text = "TRUE"
    parameters: list[Any] = []
    for order, value in reversed(list(zip(orders, values, strict=True))):
        column = columns[order.key]
        beyond = "<" if order.is_descending else ">"
        if parameters:
            text = f"{column} {beyond}= %s AND ({column} {beyond} %s OR ({text}))"
            parameters = [value, value, *parameters]
        else:
            text = f"{column} {beyond} %s"
            parameters = [value]
    return Sql(text, parameters)


def unpacked(order: Order, value: Any) -> Any:
    """The value to compare a column with."""
    return _EPOCH + value * _US if order.key.endswith("timestamp") else value


def packed_type(order: Order) -> type:
    """What the value of this order is in a token."""
    return str if order.key == "name" else int


def _wants_prompts(clauses: Sequence[Clause]) -> bool:
    for clause in clauses:
        if clause.is_tag and clause.key == IS_PROMPT:
            # MLflow looks at the first such clause only.
            value = str(clause.value).lower()
            return (clause.comparator, value) in {("=", "true"), ("!=", "false")}
    return False


def _columns(entity: Entity) -> dict[str, str]:
    return _MODEL_ORDERS if entity is MODELS else _VERSION_ORDERS


def _attribute(clause: Clause) -> Sql:
    return Sql(f"{_COLUMNS[clause.key]} {_OPERATORS[clause.comparator]}", [_value(clause)])


def _tag(clause: Clause, entity: Entity) -> Sql:
    tags = "m.tags" if entity is MODELS else "v.tags"
    if clause.comparator == "=":
        # By containment, which the GIN index answers.
        return Sql(f"{tags} @> %s::jsonb", [json.dumps({clause.key: clause.value})])
    # Null where the tag is missing: no comparison with it holds.
    return Sql(f"{tags} ->> %s {_OPERATORS[clause.comparator]}", [clause.key, _value(clause)])


def _value(clause: Clause) -> Any:
    if clause.comparator in ("LIKE", "ILIKE"):
        # A backslash means itself, as in MLflow's own store; to PostgreSQL it is an escape.
        return str(clause.value).replace("\\", "\\\\")
    return list(clause.value) if isinstance(clause.value, tuple) else clause.value
