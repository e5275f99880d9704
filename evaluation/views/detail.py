"""What the page of complete evidence shows, by kind."""

from __future__ import annotations

from typing import Any

from common.ui.figures import interval, num, signed
from common.ui.times import duration
from evaluation import pictures, words
from evaluation.models import Evidence

_NUMERIC = {"numeric": True}
#: Columns whose flips are shown at once; the others are folded.
FIRST_PICTURES = 2


def parts(evidence: Evidence) -> dict[str, Any]:
    """Context beyond what every state has: tables, pictures, and what is not known."""
    if evidence.origin == Evidence.Origin.REPORTED:
        return {"metrics": _reported(evidence.result), "source": evidence.result["source"]}
    makers = {
        "evaluation": _evaluation,
        "differential": _differential,
        "fairness": _fairness,
        "explanation": _explanation,
    }
    return {
        **makers[evidence.kind](evidence),
        "unknown": words.not_computed(evidence.result),
        "latency": _latency(evidence.result.get("latency_ms") or {}),
    }


def _table(label: str, columns: list[Any], rows: list[list[Any]]) -> dict[str, Any]:
    return {"label": label, "columns": columns, "rows": rows}


def _column(label: str) -> dict[str, Any]:
    return {"label": label, **_NUMERIC}


def _evaluation(evidence: Evidence) -> dict[str, Any]:
    result = evidence.result
    rows = [
        [
            words.metric_name(name),
            interval(triple["value"], triple["lower95"], triple["upper95"]),
            words.better(name),
        ]
        for name, triple in _in_order(result["metrics"]).items()
    ]
    found: dict[str, Any] = {
        "metrics": _table("Metrics", ["Metric", _column("Value [95 %]"), "Reads"], rows),
        "pictures": _there(
            pictures.roc(result), pictures.calibration(result), pictures.histogram(result)
        ),
    }
    if confusion := result.get("confusion"):
        found["confusion"] = _table(
            "Decisions against labels",
            ["Decision", _column("Label positive"), _column("Label negative")],
            [
                ["Decided positive", num(confusion["tp"]), num(confusion["fp"])],
                ["Decided negative", num(confusion["fn"]), num(confusion["tn"])],
            ],
        )
    return found


def _reported(result: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [
            words.metric_name(name),
            interval(triple["value"], triple.get("lower95"), triple.get("upper95")),
            words.better(name),
        ]
        for name, triple in _in_order(result["metrics"]).items()
    ]
    return _table("Reported figures", ["Metric", _column("Value"), "Reads"], rows)


def _differential(evidence: Evidence) -> dict[str, Any]:
    result = evidence.result
    new = f"Version {evidence.version.number}"
    old = f"Version {evidence.baseline.number}" if evidence.baseline else "Baseline"
    deltas = [
        [
            words.metric_name(name),
            num(delta["candidate"], 3),
            num(delta["baseline"], 3),
            f"{signed(delta['delta'], 3)} [{signed(delta['lower95'], 3)}, "
            f"{signed(delta['upper95'], 3)}]",
            words.verdict(name, delta),
        ]
        for name, delta in _in_order(result["metrics_delta"]).items()
    ]
    gap = result["abs_diff"]
    tolerance = result["tolerance"]
    apart = [
        ["Outside the tolerance", f"{num(result['outside_tolerance'])} of {num(result['rows'])}"],
        ["Tolerance", f"{tolerance['abs']:g} + {tolerance['rel']:g} of the other’s score"],
        *[[f"Difference, {name}", num(gap[name], 4)] for name in ("mean", "p50", "p95", "max")],
    ]
    if mcnemar := result.get("mcnemar"):
        apart += [
            [f"Only {new.lower()} is right", num(mcnemar["only_candidate_right"])],
            [f"Only {old.lower()} is right", num(mcnemar["only_baseline_right"])],
            ["McNemar’s p", f"{mcnemar['p']:.2g}"],
        ]
    features = list(result["most_different"][0]["features"]) if result["most_different"] else []
    return {
        "deltas": _table(
            "Metrics of both",
            ["Metric", _column(new), _column(old), _column("Difference [95 %]"), f"{new} is"],
            deltas,
        ),
        "apart": _table("How far apart the scores are", ["Figure", _column("Value")], apart),
        "pictures": pictures.flips(result)[:FIRST_PICTURES],
        "more_pictures": pictures.flips(result)[FIRST_PICTURES:],
        "pictures_title": "Where decisions flip",
        "different": _table(
            "Rows that differ most",
            ["Row", _column(new), _column(old), _column("Difference"), *features],
            [
                [
                    row["row"],
                    num(row["candidate"], 3),
                    num(row["baseline"], 3),
                    signed(row["diff"], 3),
                    *[pictures.cell(row["features"].get(name)) for name in features],
                ]
                for row in result["most_different"]
            ],
        ),
    }


def _fairness(evidence: Evidence) -> dict[str, Any]:
    result = evidence.result
    limit = result["limit"]
    rows = []
    ratios = result["selection_rate_ratio"]
    for column, ratio in sorted(ratios.items(), key=lambda item: item[1]["value"]):
        odds = result["equalized_odds_difference"].get(column)
        rows.append(
            [
                column,
                interval(ratio["value"], ratio["lower95"], ratio["upper95"]),
                f"≥ {num(limit, 2)}",
                words.against_limit(ratio, limit).rstrip(","),
                interval(odds["value"], odds["lower95"], odds["upper95"]) if odds else None,
                f"{ratio['worst_group']} against {ratio['best_group']}",
            ]
        )
    return {
        "ratios": _table(
            "Selection-rate ratios",
            [
                "By",
                _column("Ratio [95 %]"),
                _column("Limit"),
                "Is",
                _column("Equalised odds difference [95 %]"),
                "Furthest apart",
            ],
            rows,
        ),
        "pictures": pictures.fairness(result),
        "pictures_title": "Groups",
        "favour": f"selected: {result['positive_is']}",
    }


def _explanation(evidence: Evidence) -> dict[str, Any]:
    result = evidence.result
    budget = result["budget"]
    how = (
        "every combination of features was asked about, so the values are exact"
        if result["exact"]
        else f"{budget['permutations']} pairs of random orders of the features"
    )
    return {
        "pictures": [pictures.importance(result)],
        "waterfalls": [
            pictures.waterfall(result, row, index) for index, row in enumerate(result["rows"])
        ],
        "budget": (
            f"{num(budget['model_rows'])} model rows in {num(budget['calls'])} calls, against "
            f"{num(budget['background'])} background rows: {how}. Values add up to the score "
            f"within {result['additivity_error']:.1g}."
        ),
    }


def _latency(found: dict[str, Any]) -> str:
    """One line on how long the endpoint took, as seen from here."""
    if not found:
        return ""
    if "p50" in found:
        return (
            f"{duration(found['p50'] / 1000)} at the median and {duration(found['p95'] / 1000)} at "
            f"the 95th percentile of {num(found.get('calls'))} calls in batches"
        )
    sides = [f"{name} {duration(side['p50'] / 1000)}" for name, side in found.items() if side]
    return "median of a batch: " + ", ".join(sides) if sides else ""


def _in_order(metrics: dict[str, Any]) -> dict[str, Any]:
    known = [name for name in words.METRICS if name in metrics]
    return {name: metrics[name] for name in [*known, *(n for n in metrics if n not in known)]}


def _there(*found: pictures.Picture | None) -> list[pictures.Picture]:
    return [picture for picture in found if picture is not None]
