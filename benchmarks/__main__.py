"""``make bench [ONLY=area]``: every benchmark, or one area's; exit 1 where a bar is missed."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks.monitoring import drift
from benchmarks.registry import contract, inventory

AREAS: dict[str, list[Callable[[], bool]]] = {
    "monitoring": [drift.run],
    "registry": [contract.run, inventory.run],
}


def main(wanted: list[str]) -> int:
    """0 when every figure meets its bar, 2 for an area that is not there."""
    unknown = [name for name in wanted if name not in AREAS]
    if unknown:
        sys.stderr.write(f"bench: there is no area {unknown[0]}; there are {', '.join(AREAS)}\n")
        return 2
    results = [run() for area in wanted or AREAS for run in AREAS[area]]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
