"""CSV that a spreadsheet opens without running anything of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

#: What makes a cell a formula, or hides one, at its beginning (ASVS 1.2.10).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


def csv_line(cells: Iterable[object]) -> str:
    """One line of a CSV file in which no text is a formula; numbers stay numbers."""
    out = io.StringIO()
    csv.writer(out).writerow([_inert(cell) for cell in cells])
    return out.getvalue()


def _inert(cell: object) -> object:
    return "'" + cell if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
