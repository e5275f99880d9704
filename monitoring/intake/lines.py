"""NDJSON: one object a line, checked value by value."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from monitoring.intake.shape import (
    ID,
    LABEL,
    MAX_ID,
    MAX_ROWS,
    NUMBER,
    SCORE,
    SHOWN,
    TIME,
    BadRows,
    Column,
    Shape,
    bad_rows,
)

#: One object on one line.
MAX_LINE = 1024 * 1024
ARROW = {
    "id": pa.string(),
    "time": pa.int64(),
    "score": pa.float64(),
    "label": pa.float64(),
    "number": pa.float64(),
    "text": pa.string(),
}


class _Bad(Exception):
    """One value is wrong; the message says how."""


def read_lines(lines: Iterable[bytes], shape: Shape) -> pa.Table:
    """The plain table of an NDJSON upload; empty lines are passed over.

    Raises: BadRows.
    """
    wanted = {column.name for column in shape.columns}
    checks = [(column, _CHECKS[column.holds]) for column in shape.columns]
    values: dict[str, list[Any]] = {column.plain: [] for column in shape.columns}
    found: list[tuple[int, str, str]] = []
    number = 0
    for line in lines:
        if not line.strip():
            continue
        number += 1
        if number > MAX_ROWS:
            raise BadRows(f"An upload has at most {MAX_ROWS:,} rows.", code="too_many_rows")
        row = _object(line)
        if isinstance(row, str):
            found.append((number, "", row))
        elif row.keys() != wanted:
            if number == 1:
                shape.insist_names(list(row))
            odd = sorted(wanted ^ row.keys())[0]
            problem = "is missing." if odd in wanted else "is no column of this monitor."
            found.append((number, odd, problem))
        else:
            _take(row, checks, values, shape, number, found)
        if len(found) >= SHOWN:
            raise bad_rows(found, more=True)
    if found:
        raise bad_rows(found, more=False)
    if number == 0:
        raise BadRows("There are no rows.", code="no_rows")
    return pa.table(
        {
            column.plain: pa.array(values[column.plain], type=ARROW[column.holds])
            for column in shape.columns
        }
    )


def parse_time(text: str, latest: float) -> int:
    """Microseconds since 1970 of an ISO 8601 time; without an offset it is UTC.

    Raises: ValueError, saying why.
    """
    if len(text) > 64:
        raise ValueError("is no time in ISO 8601.")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no time in ISO 8601.") from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    try:
        stamp = round(at.timestamp() * 1_000_000)
    except OverflowError:
        raise ValueError("is no time in ISO 8601.") from None
    if stamp < 0:
        raise ValueError("lies before 1970.")
    if stamp > latest * 1_000_000:
        raise ValueError("lies in the future.")
    return stamp


def _object(line: bytes) -> dict[str, Any] | str:
    if len(line) > MAX_LINE:
        return "is longer than 1 MB."
    try:
        row = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "is not JSON (NaN and Infinity are not)."
    return row if isinstance(row, dict) else "is no JSON object."


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _take(
    row: dict[str, Any],
    checks: list[tuple[Column, Callable[[Any, float], Any]]],
    values: dict[str, list[Any]],
    shape: Shape,
    number: int,
    found: list[tuple[int, str, str]],
) -> None:
    for column, check in checks:
        value = row[column.name]
        try:
            if value is None and not column.nullable:
                raise _Bad("is missing.")
            values[column.plain].append(None if value is None else check(value, shape.latest))
        except _Bad as bad:
            found.append((number, column.name, str(bad)))


def _number(value: Any, latest: float) -> float:
    if isinstance(value, (int, float)):
        try:
            number = float(value)
        except OverflowError:
            raise _Bad("is too large a number.") from None
        if math.isfinite(number):
            return number
        raise _Bad("is too large a number.")
    raise _Bad("is no number.")


def _score(value: Any, latest: float) -> float:
    if isinstance(value, bool):
        raise _Bad("is no number.")
    return _number(value, latest)


def _label(value: Any, latest: float) -> float:
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return float(value)
    raise _Bad("is neither 0 nor 1.")


def _text(value: Any, latest: float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise _Bad("is no text.")
    return _encodable(value)


def _id(value: Any, latest: float) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= 2**63:
            raise _Bad("is too large for an id.")
        return str(value)
    if not isinstance(value, str):
        raise _Bad("is neither text nor an integer.")
    if not 1 <= len(value) <= MAX_ID:
        raise _Bad(f"has not 1 to {MAX_ID} characters.")
    return _encodable(value)


def _time(value: Any, latest: float) -> int:
    if not isinstance(value, str):
        raise _Bad("is no time in ISO 8601.")
    try:
        return parse_time(value, latest)
    except ValueError as error:
        raise _Bad(str(error)) from None


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Bad("is no text that UTF-8 can hold.") from None
    return value


_CHECKS: dict[str, Callable[[Any, float], Any]] = {
    NUMBER: _number,
    SCORE: _score,
    LABEL: _label,
    ID: _id,
    TIME: _time,
    "text": _text,
}
