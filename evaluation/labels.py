"""From a column of a table to labels: 0 and 1, or numbers; what is missing is said. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import CannotCompute

_TRUE = frozenset({"1", "true", "yes", "t", "y"})
_FALSE = frozenset({"0", "false", "no", "f", "n"})


@dataclass(frozen=True, slots=True)
class Labels:
    """``values`` of the rows where ``known`` is True; ``meaning`` says what 1 stands for."""

    values: NDArray[np.float64]
    known: NDArray[np.bool_]
    meaning: str

    @property
    def missing(self) -> int:
        return int((~self.known).sum())


def read(column: str, raw: Sequence[Any], *, task: str, params: Mapping[str, Any]) -> Labels:
    """Labels of one column.

    Args:
        raw: one value per row; None and NaN are missing.
        params: may hold ``positive_label`` or ``label_above``.
    Raises: CannotCompute when a value is neither 0 nor 1 (or no number) and nothing says what
        it means.
    """
    known = np.array([not _is_missing(value) for value in raw], dtype=np.bool_)
    present = [value for value, there in zip(raw, known, strict=True) if there]
    values = np.full(len(raw), np.nan)
    if task == "regression":
        values[known] = _numbers(column, present)
        return Labels(values, known, column)
    if "positive_label" in params:
        wanted = params["positive_label"]
        values[known] = [_same(value, wanted) for value in present]
        return Labels(values, known, f"{column} is {_shown(wanted)}")
    if "label_above" in params:
        above = float(params["label_above"])
        values[known] = _numbers(column, present) > above
        return Labels(values, known, f"{column} is above {above:g}")
    values[known] = [_binary(column, value) for value in present]
    return Labels(values, known, column)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not np.isfinite(value))


def _numbers(column: str, values: list[Any]) -> NDArray[np.float64]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise CannotCompute(
                f"The label {column} holds “{str(value)[:40]}”, which is not a number.",
                code="label_not_a_number",
            )
    return np.asarray(values, dtype=np.float64)


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return str(value).lower() == str(wanted).lower()
    if isinstance(value, (int, float)):
        try:
            return float(value) == float(wanted)
        except ValueError:
            return False
    return str(value) == str(wanted)


def _binary(column: str, value: Any) -> float:
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return float(value)
    text = str(value).strip().lower()
    if isinstance(value, str) and text in _TRUE | _FALSE:
        return float(text in _TRUE)
    raise CannotCompute(
        f"The label {column} holds “{str(value)[:40]}”: say which value is positive "
        f"(positive_label), or above which number (label_above).",
        code="label_not_binary",
    )


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
