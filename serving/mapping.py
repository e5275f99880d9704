"""From an endpoint's JSON answer to one score a row (pure).

A mapping is ``{"path": "predictions", "field": null, "index": null, "positive_class": 1}``:

* ``path``: where the list of answers stands, keys joined by dots; empty when it is the whole body.
* ``field``: the key of the score where each row's answer is an object.
* ``index``: the place of the score where each row's answer (or its field) is a list.
* ``positive_class``: takes the part of ``index`` (for lists) or ``field`` (for objects keyed by
  class) where those are null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from common.errors import Invalid
from serving.errors import EndpointRejected

DEFAULT: dict[str, Any] = {
    "path": "predictions",
    "field": None,
    "index": None,
    "positive_class": 1,
}
MAX_PATH = 200
MAX_INDEX = 10_000


def clean(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """A whole mapping out of a partial one. Raises: Invalid, naming ``mapping``."""
    mapping = {**DEFAULT, **(given or {})}
    reason = _why_not(mapping)
    if reason is not None:
        raise Invalid(reason, code="invalid_mapping", fields={"mapping": [reason]})
    return mapping


def parse(body: bytes) -> Any:
    """The JSON of an answer. ``NaN`` and ``Infinity`` are read as what they are, to be refused.

    Raises: EndpointRejected ``bad_json``.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise EndpointRejected("The answer is no JSON.", code="bad_json") from None


def scores(answer: Any, mapping: Mapping[str, Any], rows: int) -> NDArray[np.float64]:
    """One finite score for each of ``rows`` rows, in their order.

    Returns: shape ``(rows,)``, in whatever unit the model answers.
    Raises: EndpointRejected ``wrong_shape``, ``wrong_count`` or ``not_a_number``.
    """
    items = _at_path(answer, str(mapping.get("path") or ""))
    if not isinstance(items, list):
        _reject("wrong_shape", f"The answer holds {_kind(items)} where a list of answers belongs.")
    if len(items) != rows:
        _reject("wrong_count", f"{rows:,} rows were sent and {len(items):,} answers came back.")
    return np.fromiter(
        (_score(item, mapping, row) for row, item in enumerate(items)), np.float64, count=rows
    )


def shape(answer: Any, mapping: Mapping[str, Any]) -> str:
    """What an answer looks like, for people: ``list of 3 lists of 2``."""
    items = _at_path(answer, str(mapping.get("path") or ""))
    if not isinstance(items, list) or not items:
        return _kind(items)
    first = items[0]
    inner = f"lists of {len(first)}" if isinstance(first, list) else f"{_kind(first)}s"
    return f"list of {len(items):,} {inner}"


def _score(item: Any, mapping: Mapping[str, Any], row: int) -> float:
    if isinstance(item, dict):
        item = _of_object(item, mapping, row)
    if isinstance(item, list):
        item = _of_list(item, mapping, row)
    # bool is an int to Python; an endpoint that answers true has answered no score.
    if isinstance(item, bool) or not isinstance(item, (int, float)):
        _reject("not_a_number", f"The answer to row {row} is {_kind(item)}, not a number.")
    try:
        score = float(item)
    except OverflowError:
        score = math.inf
    if not math.isfinite(score):
        _reject("not_a_number", f"The answer to row {row} is not a finite number.")
    return score


def _of_object(item: Mapping[str, Any], mapping: Mapping[str, Any], row: int) -> Any:
    field = mapping.get("field")
    name = str(field if field is not None else mapping.get("positive_class"))
    if name not in item:
        _reject("wrong_shape", f"The answer to row {row} has no field “{name[:60]}”.")
    return item[name]


def _of_list(item: list[Any], mapping: Mapping[str, Any], row: int) -> Any:
    if len(item) == 1:
        return item[0]
    index = mapping.get("index")
    if index is None:
        index = mapping.get("positive_class")
    if isinstance(index, bool) or not isinstance(index, int):
        _reject("wrong_shape", "Each answer is a list, and the mapping names no index in it.")
    if not 0 <= index < len(item):
        _reject("wrong_shape", f"The answer to row {row} has {len(item)} parts, none is {index}.")
    return item[index]


def _at_path(answer: Any, path: str) -> Any:
    for key in path.split(".") if path else []:
        if not isinstance(answer, dict) or key not in answer:
            _reject("wrong_shape", f"The answer has no “{path[:60]}”.")
        answer = answer[key]
    return answer


def _why_not(mapping: Mapping[str, Any]) -> str | None:
    unknown = sorted(set(mapping) - set(DEFAULT))
    if unknown:
        return f"A mapping has no “{str(unknown[0])[:60]}”; it has {', '.join(DEFAULT)}."
    path, field, index = mapping["path"], mapping["field"], mapping["index"]
    if not isinstance(path, str) or len(path) > MAX_PATH:
        return f"path is text of at most {MAX_PATH} characters."
    if field is not None and (not isinstance(field, str) or not 0 < len(field) <= MAX_PATH):
        return f"field is null or text of at most {MAX_PATH} characters."
    if index is not None and (
        isinstance(index, bool) or not isinstance(index, int) or not 0 <= index <= MAX_INDEX
    ):
        return f"index is null or a number from 0 to {MAX_INDEX:,}."
    positive = mapping["positive_class"]
    if positive is not None and (
        isinstance(positive, bool)
        or not isinstance(positive, (int, str))
        or (isinstance(positive, int) and not 0 <= positive <= MAX_INDEX)
        or (isinstance(positive, str) and not 0 < len(positive) <= MAX_PATH)
    ):
        return "positive_class is null, a small number or a class's name."
    return None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {
        bool: "boolean",
        int: "number",
        float: "number",
        str: "text",
        list: "list",
        dict: "object",
    }
    return names.get(type(value), "something else")


def _reject(code: str, message: str) -> NoReturn:
    raise EndpointRejected(message, code=code)
