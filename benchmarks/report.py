"""One JSON line a figure; times are ratios within one run: a slow machine changes nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median


def figure(bench: str, value: float, *, bar: float, better: str, unit: str, how: str) -> bool:
    """Print one figure; returns whether it meets its bar."""
    good = value <= bar if better == "lower" else value >= bar
    line = {
        "bench": bench,
        "value": round(value, 4),
        "bar": bar,
        "better": better,
        "unit": unit,
        "ok": good,
        "how": how,
    }
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    return good


def seconds(act: Callable[[], object], *, runs: int = 7) -> float:
    """The median of some runs, after one that is not counted."""
    act()
    spent = []
    for _ in range(runs):
        start = time.perf_counter()
        act()
        spent.append(time.perf_counter() - start)
    return median(spent)
