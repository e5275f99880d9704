"""What an upload has to look like, and what is said when it does not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

MAX_ROWS = 500_000
#: Decompressed; a small file may hold much more than it weighs.
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
MAX_ID = 200
#: Rows that are named in a refusal.
SHOWN = 10
#: An upload's times may span that many windows; more is a wrong clock or a wrong unit.
MAX_WINDOWS = 400
NUMBER, TEXT, ID, TIME, SCORE, LABEL = "number", "text", "id", "time", "score", "label"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name outside, its name in the plain file, and what it holds."""

    name: str
    plain: str
    holds: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """All columns of an upload; no other may be there and none may be missing."""

    columns: tuple[Column, ...]
    #: Seconds since 1970; a later time is a mistake.
    latest: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Shape:
        return cls(tuple(Column(**column) for column in value["columns"]), value["latest"])

    def insist_names(self, names: list[str]) -> None:
        """Raises: BadRows, naming what is missing and what is too much."""
        known = {column.name for column in self.columns}
        errors = {name: ["This column is missing."] for name in sorted(known - set(names))}
        errors |= {
            shown(name): ["This monitor has no such column."]
            for name in sorted(set(names) - known)[:20]
        }
        errors |= {
            shown(name): ["This column is there twice."]
            for name in sorted({name for name in names if names.count(name) > 1})[:20]
        }
        if errors:
            listed = ", ".join(f"“{name}”" for name in list(errors)[:5])
            raise BadRows(f"The columns are not the monitor's: {listed}.", errors=errors)


class BadRows(Exception):
    """Why an upload is refused: for its columns (``errors``) or for rows of it (``rows``)."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "predictions_refused",
        errors: dict[str, list[str]] | None = None,
        rows: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.errors = errors or {}
        self.rows = rows or []


def bad_rows(found: list[tuple[int, str, str]], more: bool) -> BadRows:
    """``found`` are (row from 1, column, problem), in any order."""
    first = sorted(found)[:SHOWN]
    row, column, problem = first[0]
    where = f"Row {row:,}, “{shown(column)}”: {problem}" if column else f"Row {row:,}: {problem}"
    return BadRows(
        where + (" More rows are wrong." if more or len(found) > 1 else ""),
        rows=[{"row": r, "column": shown(c), "problem": p} for r, c, p in first],
    )


def shown(name: str) -> str:
    """A column's name fit for a sentence."""
    clean = "".join(char if char.isprintable() else "�" for char in name)
    return clean if len(clean) <= 60 else clean[:60] + "…"
