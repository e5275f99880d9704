"""What an inspection found, as facts and tables for a page (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Labels of single facts, in the order in which they are shown.
_FACTS = {
    "root": "Root type",
    "skops_version": "Written by skops",
    "protocol": "Protocol",
    "objective": "Objective",
    "booster": "Booster",
    "trees": "Trees",
    "leaves": "Leaves",
    "classes": "Classes",
    "base_score": "Base score",
    "features_count": "Features",
    "version": "Format version",
    "producer": "Written by",
    "graph": "Graph",
    "ir_version": "IR version",
    "nodes": "Nodes",
    "functions": "Functions",
    "initializers": "Stored tensors",
    "tensors_count": "Tensors",
    "parameters": "Parameters",
    "members_count": "Members",
    "unpacked": "Bytes when unpacked",
    "ratio": "Times its own size when unpacked",
}
_ROWS = 200


@dataclass(frozen=True, slots=True)
class Table:
    """One table: a title, columns, rows of cells."""

    title: str
    columns: list[Any]
    rows: list[list[Any]]


def facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and value of what is a single figure or word."""
    shown = [
        (label, _plain(found[key]))
        for key, label in _FACTS.items()
        if found.get(key) not in (None, "")
    ]
    if sets := found.get("operator_sets"):
        said = ", ".join(f"{it['domain']} {it['version']}" for it in sets)
        shown.append(("Operator sets", said))
    return shown


def remarks(found: Mapping[str, Any]) -> list[str]:
    """What somebody should know before using the file."""
    said = []
    if types := found.get("untrusted"):
        said.append(
            f"{len(types)} of its types are not on skops' own list: a person has to trust them "
            f"before it is loaded. {', '.join(types[:20])}"
        )
    if domains := found.get("custom_domains"):
        said.append(
            "It needs operators that no ONNX runtime brings along: " + ", ".join(domains) + "."
        )
    for key, text in (
        ("outside", "members have names that lead outside of the folder it is unpacked in."),
        ("links", "members are links."),
        ("encrypted", "members are encrypted."),
    ):
        if found.get(key):
            said.append(f"{found[key]:,} {text}")
    return said


def tables(found: Mapping[str, Any]) -> list[Table]:
    """What is a list."""
    made = []
    for key, title in (("inputs", "Inputs"), ("outputs", "Outputs")):
        if rows := found.get(key):
            made.append(
                Table(title, ["Name", "Type", "Shape"], [_column(it) for it in rows[:_ROWS]])
            )
    signature = found.get("signature") or {}
    if signature.get("inputs") and not found.get("inputs"):
        rows = [[it["name"], it["type"]] for it in signature["inputs"][:_ROWS]]
        made.append(Table("Features", ["Name", "Type"], rows))
    for key, title, columns in (
        ("operators", "Operators", ["Operator", {"label": "Nodes", "numeric": True}]),
        ("types", "Types", ["Type", {"label": "Times", "numeric": True}]),
        ("metadata", "Said beside it", ["Key", "Value"]),
    ):
        if pairs := found.get(key):
            made.append(
                Table(title, columns, [[name, _plain(it)] for name, it in [*pairs.items()][:_ROWS]])
            )
    if tensors := found.get("tensors"):
        made.append(Table("Tensors", ["Name", "Type", "Shape"], [_column(it) for it in tensors]))
    if members := found.get("members"):
        size = {"label": "Bytes", "numeric": True}
        rows = [[it["name"], f"{it['size']:,}"] for it in members]
        made.append(Table("Members", ["Name", size], rows))
    return made


def _column(it: Mapping[str, Any]) -> list[str]:
    shape = it.get("shape")
    sides = "–" if shape is None else " × ".join(str(side) for side in shape) or "one value"
    return [str(it["name"]), str(it.get("type", it.get("kind", ""))), sides]


def _plain(value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:,}" if is_number else str(value)
