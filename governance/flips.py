"""Where decisions flip: the chart, its table, and the finding that its caption states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.models import Evidence

RED, GREEN = "#d9534a", "#3c9a57"


def flips_chart(differential: Evidence | None) -> dict[str, Any] | None:
    """The share of decisions that flip, by the segment column in which they differ most.

    Context of ``components/_chart.html``; None without a comparison by segments.
    """
    if differential is None:
        return None
    by_column: dict[str, list[Mapping[str, Any]]] = {}
    for item in differential.result.get("flips_by_segment", []):
        if item.get("rows"):
            by_column.setdefault(str(item.get("segment")), []).append(item)
    if not by_column:
        return None

    def spread(items: list[Mapping[str, Any]]) -> float:
        shares = [_share(item) for item in items]
        return max(shares) - min(shares)

    column = max(sorted(by_column), key=lambda name: spread(by_column[name]))
    items = sorted(by_column[column], key=_share, reverse=True)[:15]
    labels = [str(item.get("value")) for item in items]
    down = [100 * item.get("to_negative", 0) / item["rows"] for item in items]
    up = [100 * item.get("to_positive", 0) / item["rows"] for item in items]
    bars = [
        _bars("to negative", labels, down, RED),
        _bars("to positive", labels, up, GREEN),
    ]
    return {
        "chart_id": "flips-data",
        "spec": {
            "data": bars,
            "layout": {
                "barmode": "group",
                "margin": {"l": 96, "r": 16, "t": 8, "b": 40},
                "xaxis": {
                    "title": {"text": "share of decisions that flip, %"},
                    "rangemode": "tozero",
                },
                "yaxis": {"autorange": "reversed", "title": {"text": column}, "type": "category"},
                "legend": {"orientation": "h", "y": 1.15},
            },
        },
        "caption": _flips_caption(column, items),
        "columns": [
            column,
            {"label": "Rows", "numeric": True},
            {"label": "To negative", "numeric": True},
            {"label": "To positive", "numeric": True},
            {"label": "Share", "numeric": True},
        ],
        "rows": [
            [
                str(item.get("value")),
                f"{item['rows']:,}",
                item.get("to_negative", 0),
                item.get("to_positive", 0),
                f"{100 * _share(item):.1f} %",
            ]
            for item in items
        ],
        "url": reverse("evaluation:evidence-detail", args=[differential.uid]),
        "tall": len(items) > 8,
    }


def _share(item: Mapping[str, Any]) -> float:
    return float((item.get("to_negative", 0) + item.get("to_positive", 0)) / item["rows"])


def _bars(name: str, labels: list[str], values: list[float], color: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": labels,
        "x": [round(value, 3) for value in values],
        "marker": {"color": color},
    }


def _flips_caption(column: str, items: list[Mapping[str, Any]]) -> str:
    first, others = items[0], items[1:]
    if not others:
        return (
            f"{100 * _share(first):.1f} % of decisions flip where {column} is {first.get('value')}."
        )
    rows = sum(item["rows"] for item in others)
    rest = sum(item.get("to_negative", 0) + item.get("to_positive", 0) for item in others) / rows
    return (
        f"Most decisions flip where {column} is {first.get('value')}: {100 * _share(first):.1f} % "
        f"of them, against {100 * rest:.1f} % of the others."
    )
