"""What may be asked of each kind of evidence: its parameters, their limits and defaults. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from common.errors import Invalid

#: The kinds that can be asked for.
OFFERED = ("evaluation", "differential", "fairness", "explanation")
MAX_SEED = 2**62
MAX_NAME = 255
MAX_COLUMNS = 10
MAX_EXPLAINED = 20
Parser = Callable[[str, Any], Any]


def _refuse(name: str, reason: str) -> Invalid:
    return Invalid(f"{name}: {reason}", code="bad_params", fields={f"params.{name}": [reason]})


def _number(low: float, high: float) -> Parser:
    def parse(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _refuse(name, "must be a number")
        if not math.isfinite(value) or not low <= value <= high:
            raise _refuse(name, f"must lie between {low:g} and {high:g}")
        return float(value)

    return parse


def _integer(low: int, high: int) -> Parser:
    def parse(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _refuse(name, "must be a whole number")
        if not low <= value <= high:
            raise _refuse(name, f"must lie between {low} and {high}")
        return value

    return parse


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_NAME or "\x00" in value:
        raise _refuse(name, f"must be text of 1 to {MAX_NAME} characters")
    return value


def _choice(*allowed: str) -> Parser:
    def parse(name: str, value: Any) -> str:
        if value not in allowed:
            raise _refuse(name, "must be one of: " + ", ".join(allowed))
        return str(value)

    return parse


def _scalar(name: str, value: Any) -> str | int | float | bool:
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _text(name, value)


def _list_of(item: Parser, *, at_most: int) -> Parser:
    def parse(name: str, value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise _refuse(name, "must be a list that is not empty")
        if len(value) > at_most:
            raise _refuse(name, f"has more than {at_most} entries")
        parsed = [item(name, entry) for entry in value]
        if len(set(parsed)) != len(parsed):
            raise _refuse(name, "names something twice")
        return parsed

    return parse


_ANY = _number(-1e12, 1e12)
_ROWS = _integer(2, 5_000_000)

COMMON: dict[str, Parser] = {
    "task": _choice("binary", "regression"),
    "label_column": _text,
    "positive_label": _scalar,
    "label_above": _ANY,
    "threshold": _ANY,
    "max_rows": _ROWS,
    "batch_rows": _integer(1, 10_000),
}
BY_KIND: dict[str, dict[str, Parser]] = {
    "evaluation": COMMON,
    "differential": {
        **COMMON,
        "baseline_threshold": _ANY,
        "tolerance_abs": _number(0, 1e12),
        "tolerance_rel": _number(0, 1e6),
        "segments": _list_of(_text, at_most=MAX_COLUMNS),
        "min_group_rows": _integer(1, 100_000),
    },
    "fairness": {
        **COMMON,
        "groups": _list_of(_text, at_most=MAX_COLUMNS),
        "favourable": _choice("positive", "negative"),
        "limit": _number(0, 1),
        "min_group_rows": _integer(1, 100_000),
    },
    "explanation": {
        "rows": _list_of(_integer(0, 10**12), at_most=MAX_EXPLAINED),
        "sample_rows": _integer(2, 500),
        "background_rows": _integer(1, 30),
        "background": _choice("kmeans", "random"),
        "target_error": _number(0.001, 10),
        "max_pairs": _integer(1, 50),
        "max_model_rows": _integer(100, 5_000_000),
        "batch_rows": _integer(1, 10_000),
        "threshold": _ANY,
    },
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "evaluation": {},
    "differential": {"tolerance_abs": 0.01, "tolerance_rel": 0.0, "min_group_rows": 30},
    "fairness": {"favourable": "positive", "limit": 0.8, "min_group_rows": 30},
    "explanation": {
        "sample_rows": 40,
        "background_rows": 20,
        "background": "kmeans",
        "target_error": 0.05,
        "max_pairs": 10,
        "max_model_rows": 200_000,
    },
}


def parse(kind: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with defaults filled in, the same for the same request.

    Raises: Invalid, naming the parameter.
    """
    known = BY_KIND[kind]
    for name in raw:
        if name not in known:
            raise _refuse(str(name)[:100], f"{kind} has no such parameter")
    given = {name: known[name](name, value) for name, value in raw.items() if value is not None}
    if "positive_label" in given and "label_above" in given:
        raise _refuse("label_above", "goes not together with positive_label")
    if kind == "fairness" and "groups" not in given:
        raise _refuse("groups", "names the columns whose groups are compared")
    return dict(sorted({**DEFAULTS[kind], **given}.items()))
