"""Versions side by side: what differs, and whether it differs beyond what is uncertain. Pure.

The first version is what the others are held against. Two figures differ *beyond uncertainty* when
a differential over the same rows says so (paired, so the sharper test), else when their 95 %
intervals do not overlap, which asks more than it must: what it calls different is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.words import METRICS, better, metric_name, verdict

#: Parts of a release that have a table of their own here, or say nothing by themselves.
_ELSEWHERE = frozenset({"release_version", "artifacts", "signature", "datasets", "components"})
MOST_PARAMETERS = 300


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure with its interval, and how it stands against the first version's.

    ``verdict`` is better, worse, higher, lower, no difference, cannot tell, or empty where there
    is nothing to hold against; ``how`` says from what: “paired” or “intervals”.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None
    verdict: str = ""
    how: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: a name, a cell for each version, and whether they differ."""

    name: str
    cells: list[Any]
    differs: bool
    hint: str = ""


def metric_rows(
    results: Sequence[Mapping[str, Any] | None],
    paired: Sequence[Mapping[str, Any] | None],
) -> list[Row]:
    """A row a metric, those that the house knows first.

    Args:
        results: ``metrics`` of each version's evaluation on one dataset, None where there is none.
        paired: ``metrics_delta`` of each version's differential against the first, on that dataset.
    """
    names = {name for result in results if result for name in result}
    ordered = [name for name in METRICS if name in names] + sorted(names - METRICS.keys())
    rows = []
    for name in ordered:
        triples = [(result or {}).get(name) for result in results]
        first = triples[0]
        cells = [
            _cell(
                name,
                triple,
                first if index else None,
                (paired[index] or {}).get(name) if index else None,
            )
            for index, triple in enumerate(triples)
        ]
        differs = any(it.verdict in {"better", "worse", "higher", "lower"} for it in cells)
        rows.append(Row(metric_name(name), cells, differs, better(name)))
    return rows


def _cell(
    name: str,
    triple: Mapping[str, Any] | None,
    first: Mapping[str, Any] | None,
    delta: Mapping[str, Any] | None,
) -> Cell:
    if triple is None:
        return Cell(None)
    value, lower, upper = triple["value"], triple.get("lower95"), triple.get("upper95")
    if delta is not None and "lower95" in delta:
        return Cell(value, lower, upper, verdict(name, dict(delta)), "paired")
    if first is None:
        return Cell(value, lower, upper)
    return Cell(value, lower, upper, _by_intervals(name, triple, first), "intervals")


def _by_intervals(name: str, this: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    ends = ("lower95", "upper95")
    if any(one.get(end) is None for one in (this, first) for end in ends):
        return "cannot tell"
    # The ends of the difference that both intervals still allow.
    apart = {
        "lower95": this["lower95"] - first["upper95"],
        "upper95": this["upper95"] - first["lower95"],
    }
    return verdict(name, {"delta": this["value"] - first["value"], **apart})


def parameters(
    releases: Sequence[Mapping[str, Any]], tags: Sequence[Mapping[str, Any]]
) -> list[Row]:
    """What each release says of itself, key by key; what differs first."""
    flat = [
        flatten({key: value for key, value in release.items() if key not in _ELSEWHERE})
        | {f"tag {key}": str(value) for key, value in tagged.items()}
        for release, tagged in zip(releases, tags, strict=True)
    ]
    keys = sorted({key for one in flat for key in one})
    rows = [_texts(key, [one.get(key, "") for one in flat]) for key in keys]
    said = [row for row in rows if any(row.cells)]
    return sorted(said, key=lambda row: not row.differs)[:MOST_PARAMETERS]


def flatten(value: Any, key: str = "") -> dict[str, str]:
    """``{"a": {"b": 1}}`` as ``{"a.b": "1"}``; lists by position; nothing empty."""
    if isinstance(value, Mapping):
        pairs = [(f"{key}.{name}" if key else str(name), item) for name, item in value.items()]
    elif isinstance(value, (list, tuple)):
        if all(not isinstance(item, (Mapping, list, tuple)) for item in value):
            return {key: ", ".join(str(item) for item in value)} if value else {}
        pairs = [(f"{key}[{index}]", item) for index, item in enumerate(value)]
    else:
        return {} if value in (None, "") else {key: str(value)}
    return {name: text for path, item in pairs for name, text in flatten(item, path).items()}


def columns(signatures: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Columns in and out, each with its type in each version; what differs first."""
    rows = []
    for side, word in (("inputs", "in"), ("outputs", "out")):
        types = [
            {str(it.get("name", "")): _type(it) for it in signature.get(side, [])}
            for signature in signatures
        ]
        names = list(dict.fromkeys(name for one in types for name in one))
        rows += [_texts(name, [one.get(name, "") for one in types], hint=word) for name in names]
    return sorted(rows, key=lambda row: not row.differs)


def _type(column: Mapping[str, Any]) -> str:
    optional = ", optional" if column.get("required") is False else ""
    return f"{column.get('type', '')}{optional}"


def named(parts: Sequence[Mapping[str, str]], hint: str = "") -> list[Row]:
    """Things with a name and a value in each version (datasets, artifacts, components)."""
    names = sorted({name for one in parts for name in one})
    return [_texts(name, [one.get(name, "") for one in parts], hint=hint) for name in names]


def sections(cards: Sequence[Mapping[str, str]], titles: Mapping[str, str]) -> list[Row]:
    """Sections of the cards that differ, in the cards' order."""
    keys = [*titles, *sorted({key for card in cards for key in card} - titles.keys())]
    rows = [_texts(titles.get(key, key), [card.get(key, "") for card in cards]) for key in keys]
    return [row for row in rows if row.differs]


def shares(explanation: Mapping[str, Any] | None) -> dict[str, tuple[float, float]]:
    """Each feature's share of all movement of the score, with 1.96 standard errors; 0 to 1."""
    ranked = (explanation or {}).get("global", [])
    total = sum(item["mean_abs"] for item in ranked)
    if not total:
        return {}
    return {
        str(item["feature"]): (item["mean_abs"] / total, 1.96 * item.get("se", 0.0) / total)
        for item in ranked
    }


def _texts(name: str, cells: list[str], hint: str = "") -> Row:
    return Row(name, cells, len(set(cells)) > 1, hint)
