"""The header of a LightGBM text model and its trees, counted; read as text by ourselves.

LightGBM's own reader aborts the process on most damaged files, so it is not asked.
"""

from __future__ import annotations

import re
from typing import IO, Any

from registry.artifacts.inspection.errors import Unreadable

MAX_BYTES = 1024**3
MAX_LINE = 16 * 1024 * 1024
MAX_COLUMNS = 2000
_TREE = re.compile(r"Tree=(\d+)$")
_WHOLE = ("num_class", "num_tree_per_iteration", "label_index", "max_feature_idx")
_RANGE = re.compile(r"\[[^\[\]]*:[^\[\]]*\]$")


def read(file: IO[bytes], size: int) -> dict[str, Any]:
    """Objective, features, trees. Raises: Unreadable."""
    if size > MAX_BYTES:
        raise Unreadable("A text model of more than 1 GB is not inspected.", code="too_large")
    lines = _lines(file)
    if next(lines, "") != "tree":
        raise Unreadable("It does not begin as a LightGBM model does.")
    header, trees, is_whole, leaves = _body(lines)
    numbers = {key: _number(header, key) for key in _WHOLE}
    features = header.get("feature_names", "").split()
    if len(features) != numbers["max_feature_idx"] + 1:
        raise Unreadable("It names another number of features than it says it has.")
    announced = len(header.get("tree_sizes", "").split())
    if not is_whole or trees != announced:
        raise Unreadable(f"It is cut: {trees} of {announced} trees are there.", code="cut_short")
    infos = header.get("feature_infos", "").split()
    return {
        "version": header.get("version", ""),
        "objective": header.get("objective", ""),
        "classes": numbers["num_class"],
        "trees_per_iteration": numbers["num_tree_per_iteration"],
        "trees": trees,
        "leaves": leaves,
        "features_count": len(features),
        "features": features[:MAX_COLUMNS],
        "signature": {
            "inputs": [
                {"name": name[:255], "type": _type(infos, index), "required": True}
                for index, name in enumerate(features[:MAX_COLUMNS])
            ],
            "outputs": [],
        },
    }


def _body(lines: Any) -> tuple[dict[str, str], int, bool, int]:
    header: dict[str, str] = {}
    trees = leaves = 0
    for line in lines:
        if line == "end of trees":
            return header, trees, True, leaves
        if found := _TREE.match(line):
            if int(found[1]) != trees:
                raise Unreadable("Its trees are out of order.")
            trees += 1
            continue
        key, sign, value = line.partition("=")
        if not trees and sign:
            header[key] = value
        elif key == "num_leaves":
            if not value.isdecimal() or len(value) > 9:
                raise Unreadable("A tree does not say how many leaves it has.")
            leaves += int(value)
    return header, trees, False, leaves


def _lines(file: IO[bytes]) -> Any:
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise Unreadable("A line is longer than 16 MB.", code="too_large")
        try:
            yield line.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise Unreadable("It is not UTF-8 text throughout.") from None


def _number(header: dict[str, str], key: str) -> int:
    text = header.get(key, "")
    if not text.isdecimal() or len(text) > 9:
        raise Unreadable(f"Its header has no {key}.")
    return int(text)


def _type(infos: list[str], index: int) -> str:
    """A feature with a list of values instead of a range is a category, coded as an integer."""
    info = infos[index] if index < len(infos) else ""
    return "double" if not info or info == "none" or _RANGE.match(info) else "integer"
