"""Small bars for a column's profile, as figures for an SVG (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WIDTH = 100
HEIGHT = 24


def bars(column: Mapping[str, Any]) -> list[dict[str, float]]:
    """Rectangles in a box of 100 by 24: the histogram of numbers, the shares of common values.

    Empty where a column has neither. A bin that holds anything is at least one unit high.
    """
    histogram = column.get("histogram")
    counts = histogram["counts"] if histogram else [count for _, count in column.get("top", [])]
    if not counts or max(counts) <= 0:
        return []
    step = WIDTH / len(counts)
    found = []
    for place, count in enumerate(counts):
        height = max(1.0, HEIGHT * count / max(counts)) if count else 0.0
        found.append(
            {
                "x": round(place * step, 2),
                "y": round(HEIGHT - height, 2),
                "width": round(max(1.0, step - 0.6), 2),
                "height": round(height, 2),
            }
        )
    return found
