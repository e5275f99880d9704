"""Does a table, or an endpoint, fit what a version says it takes? (pure: no database)

A signature's types are MLflow's (``long``, ``double``, ``string``, …); a dataset's are those of
its profile (``integer``, ``number``, ``text``, …). An endpoint names columns without types.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Problem(StrEnum):
    """In which way they differ."""

    MISSING = "missing"
    EXTRA = "extra"
    TYPE = "type"
    NULLS = "nulls"
    ORDER = "order"


class Severity(StrEnum):
    """What comes of it: calls fail, answers may be wrong, or nothing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_WORST = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


@dataclass(frozen=True, slots=True)
class Difference:
    """One column that is not as the signature says; ``expected`` and ``found`` are types."""

    problem: Problem
    severity: Severity
    column: str
    expected: str
    found: str
    sentence: str


_FAMILIES = {
    "boolean": ("boolean", "bool"),
    "integer": ("integer", "int", "long", "int8", "int16", "int32", "int64", "uint8"),
    "number": ("double", "float", "number", "float16", "float32", "float64"),
    "text": ("string", "str", "text"),
    "time": ("datetime", "date", "timestamp", "time"),
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names}
#: What may stand where a signature asks for the first: nothing to say, or how grave it is.
_FITS: dict[tuple[str, str], Severity | None] = {
    ("number", "integer"): None,
    ("number", "boolean"): Severity.WARNING,
    ("integer", "boolean"): Severity.WARNING,
    ("time", "text"): Severity.WARNING,
}
_NO_NULLS = {"integer", "boolean"}


def check_dataset(
    inputs: Sequence[Mapping[str, Any]],
    columns: Sequence[Mapping[str, Any]],
    *,
    apart: Collection[str] = (),
) -> list[Difference]:
    """Where a profiled table differs from the columns that a version takes, the gravest first.

    Args:
        inputs: the signature's ``[{"name", "type", "required"}]``, in order.
        columns: the profile's ``[{"name", "type", "nulls", "min", "max"}]``, in order.
        apart: columns with another purpose, such as the label: they are not missed by being extra.
    """
    there = {str(it["name"]): it for it in columns}
    found = _names(inputs, list(there), apart=apart, extra=Severity.NOTE, order=Severity.NOTE)
    for given in inputs:
        column = there.get(str(given.get("name", "")))
        if column is not None:
            found += _types(given, column)
    return _sorted(found)


def check_columns(inputs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Difference]:
    """Where the columns that an endpoint is sent differ from those that a version takes."""
    return _sorted(
        _names(inputs, list(names), apart=(), extra=Severity.WARNING, order=Severity.WARNING)
    )


def worst(differences: Sequence[Difference]) -> Severity | None:
    """The gravest; None when there is no difference."""
    present = {it.severity for it in differences}
    return next((severity for severity in _WORST if severity in present), None)


def _names(
    inputs: Sequence[Mapping[str, Any]],
    names: list[str],
    *,
    apart: Collection[str],
    extra: Severity,
    order: Severity,
) -> list[Difference]:
    wanted = {str(it.get("name", "")): it for it in inputs}
    there = set(names)
    found = []
    for name, given in wanted.items():
        if name in there:
            continue
        is_required = given.get("required", True) is not False
        found.append(
            Difference(
                Problem.MISSING,
                Severity.ERROR if is_required else Severity.NOTE,
                name,
                str(given.get("type", "")),
                "",
                f"“{name}” is not there" + ("." if is_required else ", and may be left out."),
            )
        )
    for name in names:
        if name not in wanted and name not in apart:
            sentence = f"The version takes no “{name}”."
            found.append(Difference(Problem.EXTRA, extra, name, "", "", sentence))
    common = [name for name in wanted if name in there]
    ordered = [name for name in names if name in wanted]
    if common != ordered:
        place = next(i for i, (a, b) in enumerate(zip(common, ordered, strict=True)) if a != b)
        sentence = (
            f"The order differs from column {place + 1} on: the signature has “{common[place]}” "
            f"there, this has “{ordered[place]}”. Servers that read by place would mix them up."
        )
        found.append(Difference(Problem.ORDER, order, ordered[place], "", "", sentence))
    return found


def _types(given: Mapping[str, Any], column: Mapping[str, Any]) -> list[Difference]:
    name, expected = str(given.get("name", "")), str(given.get("type", ""))
    wanted, actual = _FAMILY.get(expected.lower()), str(column.get("type", ""))
    if wanted is None:
        return []  # a tensor, an object: a table's profile cannot speak about it
    found = []
    severity = None if wanted == actual else _FITS.get((wanted, actual), Severity.ERROR)
    if (
        (wanted, actual) == ("boolean", "integer")
        and column.get("min") in (0, 1)
        and column.get("max") in (0, 1)
    ):
        severity = Severity.WARNING
    if severity is not None:
        sentence = f"“{name}” is to be {expected}, and holds {_WORDS.get(actual, actual)}."
        found.append(Difference(Problem.TYPE, severity, name, expected, actual, sentence))
    nulls = column.get("nulls") or 0
    if nulls and wanted in _NO_NULLS and given.get("required", True) is not False:
        sentence = f"“{name}” is empty in {nulls:,} rows, and a {expected} cannot be."
        found.append(Difference(Problem.NULLS, Severity.WARNING, name, expected, actual, sentence))
    return found


_WORDS = {
    "number": "fractions",
    "integer": "whole numbers",
    "boolean": "yes or no",
    "text": "text",
    "time": "times",
}


def _sorted(found: list[Difference]) -> list[Difference]:
    return sorted(found, key=lambda it: _WORST.index(it.severity))
