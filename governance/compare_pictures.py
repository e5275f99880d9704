"""Charts of a comparison: every point with its interval, every caption with its finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from common.ui.figures import interval, pct
from evaluation.pictures import BLUE, GREEN, GREY, ORANGE, RED, Picture
from governance.comparing import shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from governance.compare import Comparison, OnDataset
    from governance.comparing import Row

_COLOURS = (BLUE, ORANGE, GREEN, RED, GREY, "#8e6bd1")
_METRICS = 3
_FEATURES = 12
_DIFFERENT = ("better", "worse", "higher", "lower")


def metrics(found: Comparison) -> list[Picture]:
    """The first metrics of the dataset on which most versions were measured."""
    if not found.metrics:
        return []
    table = found.metrics[0]
    labels = [str(version) for version in found.versions]
    drawn = [row for row in table.rows if sum(cell.value is not None for cell in row.cells) > 1]
    return [_metric(table, row, labels, index) for index, row in enumerate(drawn[:_METRICS])]


def _metric(table: OnDataset, row: Row, labels: Sequence[str], index: int) -> Picture:
    both = zip(labels, row.cells, strict=True)
    shown = [(label, cell) for label, cell in both if cell.value is not None]
    values = [cell.value for _, cell in shown]
    first = row.cells[0].value
    spec: dict[str, Any] = {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": values,
                "y": [label for label, _ in shown],
                "marker": {"color": BLUE, "size": 9},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [_end(cell.upper, cell.value) for _, cell in shown],
                    "arrayminus": [_end(cell.value, cell.lower) for _, cell in shown],
                    "color": GREY,
                    "thickness": 1.5,
                },
            }
        ],
        "layout": {
            "showlegend": False,
            "xaxis": {"title": {"text": row.name}},
            "yaxis": {"type": "category", "autorange": "reversed"},
        },
    }
    if first is not None:
        spec["layout"]["shapes"] = [
            {
                "type": "line",
                "x0": first,
                "x1": first,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": GREY, "dash": "dot", "width": 1},
            }
        ]
    return Picture(
        title=f"{row.name} on {table.dataset}" if table.dataset else row.name,
        chart_id=f"compare-metric-{index}",
        caption=caption(row, labels, table.dataset),
        spec=spec,
        columns=["Version", {"label": f"{row.name} [95 %]", "numeric": True}],
        rows=[[label, interval(cell.value, cell.lower, cell.upper)] for label, cell in shown],
    )


def caption(row: Row, labels: Sequence[str], dataset: str) -> str:
    """Which of them differ from the first beyond uncertainty, and which cannot be told apart."""
    where = f"{row.name} on {dataset}" if dataset else row.name
    if row.cells[0].value is None:
        return f"{where}: {labels[0]} was not measured, so there is nothing to hold against."
    told, untold = [], []
    for label, cell in zip(labels[1:], row.cells[1:], strict=True):
        if cell.value is None:
            continue
        if cell.verdict in _DIFFERENT:
            told.append(f"{label} is {cell.verdict}")
        else:
            untold.append(label)
    said = []
    if told:
        said.append(f"{', '.join(told)} than {labels[0]}, beyond uncertainty")
    if untold:
        said.append(f"{', '.join(untold)} cannot be told apart from {labels[0]}")
    return f"{where}: {'; '.join(said)}. Bars are 95 % intervals."


def importance(found: Comparison) -> Picture | None:
    """What share of the score's movement each feature carries, version by version."""
    by_version = [shares(it.result if it else None) for it in found.explanations]
    explained = [index for index, one in enumerate(by_version) if one]
    if len(explained) < 2:
        return None
    most: dict[str, float] = {}
    for one in by_version:
        for feature, (share, _) in one.items():
            most[feature] = max(most.get(feature, 0.0), share)
    features = sorted(most, key=lambda it: -most[it])[:_FEATURES]
    labels = [str(version) for version in found.versions]

    def spread(feature: str) -> float:
        held = [by_version[index].get(feature, (0.0, 0.0))[0] for index in explained]
        return max(held) - min(held)

    moved = max(features, key=spread)
    held = ", ".join(
        f"{pct(by_version[index].get(moved, (0.0, 0.0))[0], 0)} in {labels[index]}"
        for index in explained
    )
    return Picture(
        title="What moves the score",
        chart_id="compare-importance",
        caption=f"{moved} changes most: {held} of all movement. Bars are 95 % intervals.",
        spec={
            "data": [
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": labels[index],
                    "y": features,
                    "x": [100 * by_version[index].get(it, (0.0, 0.0))[0] for it in features],
                    "error_x": {
                        "type": "data",
                        "array": [
                            100 * by_version[index].get(it, (0.0, 0.0))[1] for it in features
                        ],
                        "color": GREY,
                        "thickness": 1.2,
                    },
                    "marker": {"color": _COLOURS[index % len(_COLOURS)]},
                }
                for index in explained
            ],
            "layout": {
                "barmode": "group",
                "legend": {"orientation": "h", "y": 1.12},
                "xaxis": {
                    "title": {"text": "share of all mean |SHAP value|, in %"},
                    "rangemode": "tozero",
                },
                "yaxis": {"type": "category", "autorange": "reversed"},
            },
        },
        columns=["Feature", *({"label": labels[index], "numeric": True} for index in explained)],
        rows=[
            [it, *(pct(by_version[index].get(it, (0.0, 0.0))[0]) for index in explained)]
            for it in features
        ],
        tall=True,
    )


def _end(high: float | None, low: float | None) -> float:
    return 0.0 if high is None or low is None else max(0.0, high - low)
