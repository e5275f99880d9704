"""Results as Plotly traces: plain JSON, each with its finding in words and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from common.ui.figures import interval, num, pct, plural, signed
from evaluation.words import against_limit

BLUE, ORANGE, RED, GREEN, GREY = "#4c7fe0", "#c77a1f", "#d9534a", "#3c9a57", "#808890"
_LEGEND = {"orientation": "h", "y": 1.15}


@dataclass(frozen=True, slots=True)
class Picture:
    """What ``components/_chart.html`` needs, and a heading."""

    title: str
    chart_id: str
    caption: str
    spec: dict[str, Any]
    columns: list[Any]
    rows: list[list[Any]]
    tall: bool = False
    note: str = ""


def _numeric(*labels: str) -> list[dict[str, Any]]:
    return [{"label": label, "numeric": True} for label in labels]


def _axis(title: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": title}, **more}


def roc(result: dict[str, Any]) -> Picture | None:
    points = result.get("roc")
    auc = result["metrics"].get("auc")
    if not points or not auc:
        return None
    fpr, tpr = [point[0] for point in points], [point[1] for point in points]
    shown = points[:: max(1, len(points) // 20)]
    return Picture(
        title="ROC curve",
        chart_id="roc-data",
        caption=(
            f"A positive row scores above a negative one in {pct(auc['value'])} of pairs; "
            f"chance would be 50 %."
        ),
        spec={
            "data": [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": "this version",
                    "x": fpr,
                    "y": tpr,
                    "line": {"color": BLUE, "width": 2},
                },
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": "chance",
                    "x": [0, 1],
                    "y": [0, 1],
                    "line": {"color": GREY, "dash": "dot"},
                    "hoverinfo": "skip",
                },
            ],
            "layout": {
                "xaxis": _axis("false positive rate", range=[0, 1]),
                "yaxis": _axis("true positive rate", range=[0, 1.02]),
                "legend": _LEGEND,
            },
        },
        columns=_numeric("False positive rate", "True positive rate"),
        rows=[[num(x, 3), num(y, 3)] for x, y in shown],
    )


def calibration(result: dict[str, Any]) -> Picture | None:
    table = result.get("calibration")
    if not table:
        return None
    worst = max(table, key=lambda row: abs(row["mean_score"] - row["share_positive"]))
    return Picture(
        title="Calibration",
        chart_id="calibration-data",
        caption=(
            f"Where the score says {pct(worst['mean_score'])}, {pct(worst['share_positive'])} are "
            f"positive: the largest gap of {plural(len(table), 'bin')}."
        ),
        spec={
            "data": [
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": "observed",
                    "x": [row["mean_score"] for row in table],
                    "y": [row["share_positive"] for row in table],
                    "error_y": _ends(
                        [row["share_positive"] for row in table],
                        [row["lower95"] for row in table],
                        [row["upper95"] for row in table],
                    ),
                    "line": {"color": BLUE},
                },
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": "perfect",
                    "x": [0, 1],
                    "y": [0, 1],
                    "line": {"color": GREY, "dash": "dot"},
                    "hoverinfo": "skip",
                },
            ],
            "layout": {
                "xaxis": _axis("mean score", range=[0, 1]),
                "yaxis": _axis("share of positives", range=[0, 1.02]),
                "legend": _LEGEND,
            },
        },
        columns=_numeric("Mean score", "Share of positives [95 %]", "Rows"),
        rows=[
            [
                num(row["mean_score"], 3),
                interval(row["share_positive"], row["lower95"], row["upper95"]),
                num(row["rows"]),
            ]
            for row in table
        ],
    )


def histogram(result: dict[str, Any]) -> Picture | None:
    found = result.get("score_histogram")
    if not found or not found["counts"]:
        return None
    edges, counts = found["edges"], found["counts"]
    total = sum(counts)
    peak = max(range(len(counts)), key=lambda index: counts[index])
    caption = (
        f"{pct(counts[peak] / total)} of the scores lie between {num(edges[peak])} and "
        f"{num(edges[peak + 1])}."
    )
    threshold = result.get("threshold")
    layout: dict[str, Any] = {
        "xaxis": _axis("score"),
        "yaxis": _axis("rows"),
        "showlegend": False,
        "bargap": 0.03,
    }
    if threshold is not None:
        layout["shapes"] = [_line_at(threshold)]
        confusion = result.get("confusion") or {}
        above = confusion.get("tp", 0) + confusion.get("fp", 0)
        caption += f" {pct(above / max(1, total))} reach the threshold of {num(threshold)}."
    middles = [(a + b) / 2 for a, b in pairwise(edges)]
    return Picture(
        title="Scores",
        chart_id="histogram-data",
        caption=caption,
        spec={
            "data": [
                {
                    "type": "bar",
                    "x": middles,
                    "y": counts,
                    "marker": {"color": BLUE},
                    "width": edges[1] - edges[0],
                }
            ],
            "layout": layout,
        },
        columns=[{"label": "Score from"}, *_numeric("to", "Rows")],
        rows=[
            [num(edges[index], 3), num(edges[index + 1], 3), num(count)]
            for index, count in enumerate(counts)
        ],
    )


def flips(result: dict[str, Any]) -> list[Picture]:
    """One picture per column, the one with the largest gap between its groups first."""
    columns: dict[str, list[dict[str, Any]]] = {}
    for row in result["flips_by_segment"]:
        columns.setdefault(row["segment"], []).append(row)
    pictures = [_flips_of(name, rows, index) for index, (name, rows) in enumerate(columns.items())]
    return [picture for _, picture in sorted(pictures, key=lambda pair: -pair[0])]


def _flips_of(name: str, rows: list[dict[str, Any]], index: int) -> tuple[float, Picture]:
    judged = [row for row in rows if not row["too_small"]] or rows
    most = max(judged, key=lambda row: row["share"]["value"])
    others = [row for row in judged if row is not most]
    flipped = sum(row["to_positive"] + row["to_negative"] for row in others)
    elsewhere = flipped / max(1, sum(row["rows"] for row in others))
    caption = (
        f"Most decisions flip for {name} {most['value']}: {pct(most['share']['value'])} of these"
    )
    caption += f", against {pct(elsewhere)} of the others." if others else "."
    small = [row["value"] for row in rows if row["too_small"]]
    labels = [row["value"] for row in rows]

    def bar(title: str, key: str, colour: str) -> dict[str, Any]:
        return {
            "type": "bar",
            "orientation": "h",
            "name": title,
            "y": labels,
            "x": [100 * row[key] / max(1, row["rows"]) for row in rows],
            "marker": {"color": colour},
        }

    picture = Picture(
        title=f"By {name}",
        chart_id=f"flips-data-{index}",
        caption=caption,
        note=f"Too few rows to judge: {', '.join(small)}." if small else "",
        spec={
            "data": [
                bar("to negative", "to_negative", RED),
                bar("to positive", "to_positive", GREEN),
            ],
            "layout": {
                "barmode": "group",
                "xaxis": _axis("share of decisions that flip, %", rangemode="tozero"),
                "yaxis": _axis(name, type="category", autorange="reversed"),
                "legend": _LEGEND,
            },
        },
        columns=[name, *_numeric("Rows", "To negative", "To positive", "Share [95 %]")],
        rows=[
            [
                row["value"],
                num(row["rows"]),
                num(row["to_negative"]),
                num(row["to_positive"]),
                interval(row["share"]["value"], row["share"]["lower95"], row["share"]["upper95"]),
            ]
            for row in rows
        ],
        tall=len(rows) > 5,
    )
    return most["share"]["value"] - elsewhere, picture


def fairness(result: dict[str, Any]) -> list[Picture]:
    """One picture per column: each group's selection rate against what the limit asks for."""
    pictures = []
    for index, column in enumerate(dict.fromkeys(group["column"] for group in result["groups"])):
        groups = [group for group in result["groups"] if group["column"] == column]
        pictures.append(_fairness_of(column, groups, result, index))
    return pictures


def _fairness_of(
    column: str, groups: list[dict[str, Any]], result: dict[str, Any], index: int
) -> Picture:
    ratio = result["selection_rate_ratio"].get(column)
    rates = [group["selection_rate"] for group in groups]
    best = max((rate["value"] for rate in rates), default=0.0)
    wanted = best * result["limit"]
    colours = [RED if rate["value"] < wanted else BLUE for rate in rates]
    if ratio is None:
        caption = f"The groups of {column} cannot be compared."
    else:
        caption = (
            f"{column} = {ratio['worst_group']} is selected {num(ratio['value'], 2)} times as "
            f"often as {column} = {ratio['best_group']}, "
            f"{against_limit(ratio, result['limit']).rstrip(',')} the limit of "
            f"{num(result['limit'], 2)}."
        )
    return Picture(
        title=f"By {column}",
        chart_id=f"fairness-data-{index}",
        caption=caption,
        note=f"The dotted line is {num(result['limit'], 2)} of the best group’s rate.",
        spec={
            "data": [
                {
                    "type": "bar",
                    "orientation": "h",
                    "y": [group["value"] for group in groups],
                    "x": [rate["value"] for rate in rates],
                    "marker": {"color": colours},
                    "error_x": _ends(
                        [rate["value"] for rate in rates],
                        [rate["lower95"] for rate in rates],
                        [rate["upper95"] for rate in rates],
                    ),
                }
            ],
            "layout": {
                "showlegend": False,
                "xaxis": _axis("selection rate", rangemode="tozero"),
                "yaxis": _axis(column, type="category", autorange="reversed"),
                "shapes": [_line_at(wanted)],
            },
        },
        columns=[
            column,
            *_numeric(
                "Rows", "Selection rate [95 %]", "True positive rate", "False positive rate", "AUC"
            ),
        ],
        rows=[
            [
                group["value"],
                num(group["rows"]),
                _triple(group["selection_rate"]),
                _triple(group["tpr"]),
                _triple(group["fpr"]),
                _triple(group["auc"]),
            ]
            for group in groups
        ],
        tall=len(groups) > 8,
    )


def importance(result: dict[str, Any]) -> Picture:
    """Mean |SHAP value| per feature with its standard error."""
    ranked = result["global"]
    top = ranked[0]
    total = sum(item["mean_abs"] for item in ranked)
    share = top["mean_abs"] / total if total else 0.0
    return Picture(
        title="What moves the score",
        chart_id="importance-data",
        caption=(
            f"{top['feature']} carries {pct(share, 0)} of all movement of the score; bars are 95 % "
            f"intervals over {plural(result['global_rows'], 'row')}."
        ),
        spec={
            "data": [
                {
                    "type": "bar",
                    "orientation": "h",
                    "y": [item["feature"] for item in ranked],
                    "x": [item["mean_abs"] for item in ranked],
                    "error_x": {
                        "type": "data",
                        "array": [1.96 * item["se"] for item in ranked],
                        "color": GREY,
                        "thickness": 1.2,
                    },
                    "marker": {"color": BLUE},
                }
            ],
            "layout": {
                "showlegend": False,
                "xaxis": _axis("mean |SHAP value|, in the score’s unit", rangemode="tozero"),
                "yaxis": {"type": "category", "autorange": "reversed"},
            },
        },
        columns=["Feature", *_numeric("Mean |value|", "Standard error")],
        rows=[[item["feature"], num(item["mean_abs"], 4), num(item["se"], 4)] for item in ranked],
        tall=len(ranked) > 10,
    )


def waterfall(result: dict[str, Any], row: dict[str, Any], index: int) -> Picture:
    """From the base value to one row's score, the largest step first."""
    features = result["features"]
    order = sorted(range(len(features)), key=lambda at: -abs(row["values"][at]))
    starts, position = [], result["base_value"]
    for at in order:
        starts.append(position)
        position += row["values"][at]
    names = [f"{features[at]} = {cell(row['data'].get(features[at]))}" for at in order]
    most = order[0]
    way = "up" if row["values"][most] > 0 else "down"
    return Picture(
        title=f"Row {row['row']}: score {num(row['score'], 3)}",
        chart_id=f"waterfall-data-{index}",
        caption=(
            f"{names[0]} pulls it {way} by {num(abs(row['values'][most]), 3)}, the most of "
            f"{plural(len(features), 'feature')}; the average score is "
            f"{num(result['base_value'], 3)}."
        ),
        spec={
            "data": [
                {
                    "type": "bar",
                    "orientation": "h",
                    "y": names,
                    "base": starts,
                    "x": [row["values"][at] for at in order],
                    "marker": {
                        "color": [ORANGE if row["values"][at] > 0 else BLUE for at in order]
                    },
                    "error_x": {
                        "type": "data",
                        "array": [1.96 * row["se"][at] for at in order],
                        "color": GREY,
                        "thickness": 1.2,
                    },
                }
            ],
            "layout": {
                "showlegend": False,
                "xaxis": _axis("score"),
                "yaxis": {"type": "category", "autorange": "reversed"},
                "shapes": [_line_at(result["base_value"]), _line_at(row["score"], dash="solid")],
            },
        },
        columns=["Feature", "Value", *_numeric("Moves the score by", "Standard error")],
        rows=[
            [
                features[at],
                cell(row["data"].get(features[at])),
                signed(row["values"][at], 4),
                num(row["se"][at], 4),
            ]
            for at in order
        ],
        tall=len(features) > 8,
    )


def cell(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:g}"
    text = str(value)
    return text if len(text) <= 30 else text[:29] + "…"


def _triple(triple: dict[str, Any] | None) -> Any:
    if triple is None:
        return None
    return interval(triple["value"], triple["lower95"], triple["upper95"])


def _ends(values: list[float], lower: list[float], upper: list[float]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, high - value) for value, high in zip(values, upper, strict=True)],
        "arrayminus": [max(0.0, value - low) for value, low in zip(values, lower, strict=True)],
        "color": GREY,
        "thickness": 1.2,
    }


def _line_at(x: float, dash: str = "dot") -> dict[str, Any]:
    return {
        "type": "line",
        "x0": x,
        "x1": x,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": GREY, "width": 1.5, "dash": dash},
    }
