"""What the monitor's page says: one sentence of fact, the heat map, the score, a distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from common.ui.figures import num, pct
from monitoring import calendar, selectors
from monitoring.models import DriftResult, Monitor, PerformanceResult, Window
from monitoring.rules import SCORES, ColumnFact, WindowFact, judge
from monitoring.services.alerts import listed
from monitoring.services.rules import DEFAULT_PSI, summary
from monitoring.views import distribution

BLUE, ORANGE, RED = "#4c7fe0", "#c77a1f", "#d9534a"
#: PSI that fills the scale; more is all the same colour.
FULL_PSI = 0.5
METRICS = {"auc": "AUC", "accuracy": "Accuracy", "log_loss": "Log loss", "brier": "Brier score"}


@dataclass(frozen=True)
class Story:
    """The windows that a page shows, with the latest revision of their results."""

    monitor: Monitor
    windows: list[Window]
    drift: dict[int, list[DriftResult]]
    performance: dict[int, PerformanceResult]

    @classmethod
    def of(cls, monitor: Monitor) -> Story:
        """Three queries, whatever the history."""
        found = selectors.windows(monitor)
        return cls(
            monitor,
            found,
            selectors.drift_by_window(found),
            selectors.performance_by_window(found),
        )

    @property
    def last(self) -> Window | None:
        return self.windows[-1] if self.windows else None

    def short(self, window: Window) -> str:
        return calendar.short(window.start, self.monitor.window_kind)

    def label(self, window: Window) -> str:
        return calendar.label(window.start, self.monitor.window_kind)

    def during(self, window: Window) -> str:
        return calendar.during(window.start, self.monitor.window_kind)

    def psi(self, window: Window) -> dict[str, DriftResult]:
        return {row.column.name: row for row in self.drift.get(window.pk, [])}

    def facts(self) -> list[WindowFact]:
        """What rules look at, from what is already here."""
        return [
            WindowFact(
                key=window.pk,
                start=window.start,
                rows=window.rows,
                labelled=window.labelled,
                drift=tuple(
                    ColumnFact(row.column.name, row.psi, row.is_significant)
                    for row in self.drift.get(window.pk, [])
                ),
                realised={
                    name: float(triple["value"]) for name, triple in self._realised(window).items()
                },
            )
            for window in self.windows
        ]

    def _realised(self, window: Window) -> dict[str, Any]:
        row = self.performance.get(window.pk)
        return row.realised if row is not None else {}


def is_drifted(row: DriftResult) -> bool:
    """By the default effect; rules have limits of their own."""
    return row.is_significant and row.psi > DEFAULT_PSI


def fact(story: Story) -> SafeString | str:
    """What moved and what it did, from the newest window that says anything."""
    last = story.last
    if last is None:
        return "No predictions have come in yet; the reference is frozen and waits for them."
    return format_html("{} {}", _drift_fact(story, last), _score_fact(story))


def subfact(story: Story) -> str:
    monitor, last = story.monitor, story.last
    reference = f"{monitor.reference.name} ({num(monitor.reference.rows)} rows)"
    text = f"Windows are {monitor.window_kind}s, against {reference}."
    if last is None:
        return text
    labelled = (
        f", {pct(last.labelled / last.rows, 0)} of them labelled"
        if last.labelled
        else (", none of them labelled yet")
    )
    return f"{text} {num(last.rows)} rows {story.during(last)}{labelled}."


def _drift_fact(story: Story, last: Window) -> SafeString | str:
    moved = sorted(
        (row for row in story.drift.get(last.pk, []) if is_drifted(row)), key=lambda r: -r.psi
    )
    if not story.drift.get(last.pk):
        return f"{story.label(last)} is not compared with the reference yet."
    if not moved:
        return f"Nothing has drifted {story.during(last)}."
    since = last
    for window in reversed(story.windows):
        row = story.psi(window).get(moved[0].column.name)
        if row is None or not is_drifted(row):
            break
        since = window
    names = [row.column.name for row in moved[:3]]
    rest = len(moved) - len(names)
    shown = format_html_join(", ", "<strong>{}</strong>", ((name,) for name in names))
    if not rest and len(names) > 1:
        first = format_html_join(", ", "<strong>{}</strong>", ((name,) for name in names[:-1]))
        shown = format_html("{} and <strong>{}</strong>", first, names[-1])
    more = f" and {rest} more column{'' if rest == 1 else 's'}" if rest else ""
    when = story.during(last) if since is last else f"since {story.label(since)}"
    return format_html(
        "{}{} {} drifted {} (PSI up to {}).",
        shown,
        more,
        "has" if len(moved) == 1 else "have",
        when,
        num(moved[0].psi, 2),
    )


def _score_fact(story: Story) -> SafeString | str:
    for window in reversed(story.windows):
        row = story.performance.get(window.pk)
        if row is None or "auc" not in row.realised:
            continue
        triple = row.realised["auc"]
        said = row.estimated.get("auc")
        tail = f"; the estimate had said {num(said['value'], 3)}" if said else ""
        return format_html(
            "AUC was <strong>{}</strong> [{}, {}] {}{}.",
            num(triple["value"], 3),
            num(triple["lower95"], 3),
            num(triple["upper95"], 3),
            story.during(window),
            tail,
        )
    last = story.last
    row = story.performance.get(last.pk) if last is not None else None
    if last is not None and row is not None and "auc" in row.estimated:
        triple = row.estimated["auc"]
        return format_html(
            "Without labels AUC is estimated at <strong>{}</strong> [{}, {}] {}.",
            num(triple["value"], 3),
            num(triple["lower95"], 3),
            num(triple["upper95"], 3),
            story.during(last),
        )
    return ""


def heat(story: Story) -> dict[str, Any] | None:
    """Columns × windows with PSI, the column that moved most on top."""
    if not story.drift:
        return None
    worst: dict[str, float] = {}
    for rows in story.drift.values():
        for row in rows:
            worst[row.column.name] = max(worst.get(row.column.name, 0.0), row.psi)
    names = sorted(worst, key=lambda name: (-worst[name], name))
    by_window = [story.psi(window) for window in story.windows]
    values = [
        [round(found[name].psi, 4) if name in found else None for found in by_window]
        for name in names
    ]
    axis = [story.short(window) for window in story.windows]
    moved = [n for n in names if any(n in found and is_drifted(found[n]) for found in by_window)]
    return {
        "caption": _heat_caption(story, names, moved),
        "spec": {
            "data": [
                {
                    "type": "heatmap",
                    "x": axis,
                    "y": names,
                    "z": values,
                    "zmin": 0,
                    "zmax": FULL_PSI,
                    "colorbar": {"title": {"text": "PSI"}},
                    "hovertemplate": "%{y}, %{x}: PSI %{z:.3f}<extra></extra>",
                }
            ],
            "layout": {
                "margin": {"l": 90, "r": 8, "t": 8, "b": 40},
                "yaxis": {"autorange": "reversed", "type": "category"},
                "xaxis": {"type": "category"},
            },
        },
        "columns": ["Column", *({"label": name, "numeric": True} for name in axis)],
        "rows": [
            [name, *("–" if value is None else f"{value:.3f}" for value in row)]
            for name, row in zip(names, values, strict=True)
        ],
    }


def _heat_caption(story: Story, names: list[str], moved: list[str]) -> str:
    span = f"{len(story.windows)} window{'' if len(story.windows) == 1 else 's'}"
    if not moved:
        return f"None of {len(names)} columns moved by more than PSI 0.1 in {span}."
    still = len(names) - len(moved)
    rest = f"; the other {still} did not" if still else ""
    return (
        f"{len(moved)} of {len(names)} columns moved significantly by more than PSI 0.1 in some of "
        f"{span}: {listed(tuple(moved), 4)}{rest}. Everything over {FULL_PSI:g} has one colour."
    )


def performance(story: Story, metric: str = "auc") -> dict[str, Any] | None:
    """Realised and estimated performance with their intervals, and the limit of a rule."""
    points = [
        (story.short(window), row.realised.get(metric), row.estimated.get(metric))
        for window in story.windows
        if (row := story.performance.get(window.pk)) is not None
    ]
    if not any(real or said for _, real, said in points):
        return None
    said = [(x, triple) for x, _, triple in points if triple]
    real = [(x, triple) for x, triple, _ in points if triple]
    data: list[dict[str, Any]] = []
    if said:
        data += _estimate_traces(said)
    if real:
        data.append(_realised_trace(real))
    limit = next(
        (
            rule.threshold
            for rule in story.monitor.rules.all()
            if rule.metric == metric and rule.is_active
        ),
        None,
    )
    if limit is not None:
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [x for x, _, _ in points],
                "y": [limit] * len(points),
                "name": "limit",
                "line": {"color": RED, "dash": "dash"},
            }
        )
    return {
        "caption": _performance_caption(points, METRICS[metric], limit, metric in SCORES),
        "spec": {
            "data": data,
            "layout": {
                "margin": {"l": 56, "r": 8, "t": 8, "b": 40},
                "legend": {"orientation": "h", "y": 1.2},
                "xaxis": {"type": "category"},
                "yaxis": {"title": {"text": METRICS[metric]}},
            },
        },
        "columns": [
            "Window",
            {"label": "Realised [95 %]", "numeric": True},
            {"label": "Estimated [95 %]", "numeric": True},
        ],
        "rows": [[x, _triple(r), _triple(e)] for x, r, e in points],
    }


def _estimate_traces(said: list[tuple[str, dict[str, float]]]) -> list[dict[str, Any]]:
    x = [name for name, _ in said]
    upper = [triple["upper95"] for _, triple in said]
    lower = [triple["lower95"] for _, triple in said]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [*x, *reversed(x)],
            "y": [*upper, *reversed(lower)],
            "fill": "toself",
            "fillcolor": "rgba(76,127,224,0.18)",
            "line": {"width": 0},
            "name": "estimate, 95 %",
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "lines",
            "x": x,
            "y": [triple["value"] for _, triple in said],
            "name": "estimated without labels",
            "line": {"color": BLUE, "dash": "dot"},
        },
    ]


def _realised_trace(real: list[tuple[str, dict[str, float]]]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [name for name, _ in real],
        "y": [triple["value"] for _, triple in real],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [triple["upper95"] - triple["value"] for _, triple in real],
            "arrayminus": [triple["value"] - triple["lower95"] for _, triple in real],
        },
        "name": "realised",
        "line": {"color": ORANGE},
    }


def _performance_caption(
    points: list[tuple[str, Any, Any]], name: str, limit: float | None, is_score: bool
) -> str:
    both = [(real, said) for _, real, said in points if real and said]
    if not both:
        return (
            f"No labels yet: {name} is estimated from the scores and what they meant in the "
            "reference, which holds only while a score still means the same."
        )
    inside = sum(
        real["lower95"] <= said["upper95"] and real["upper95"] >= said["lower95"]
        for real, said in both
    )
    text = (
        f"Realised {name} and its estimate agree within their intervals in {inside} of "
        f"{len(both)} window{'' if len(both) == 1 else 's'}"
    )
    if limit is not None:
        beyond = [
            x
            for x, real, _ in points
            if real and (real["value"] <= limit if is_score else real["value"] >= limit)
        ]
        text += f"; the limit of {limit:g} was reached in " + (
            listed(tuple(beyond), 4, "window") or "none"
        )
    return f"{text}. The estimate holds only while a score means what it meant in the reference."


def _triple(triple: Any) -> str:
    if not triple:
        return "–"
    return f"{triple['value']:.3f} [{triple['lower95']:.3f}, {triple['upper95']:.3f}]"


def rules(story: Story) -> list[dict[str, Any]]:
    """Each rule with what it would have said of the windows shown."""
    facts = story.facts()
    return [
        {"rule": rule, "sentence": summary(judge(rule.condition, facts))["sentence"]}
        for rule in story.monitor.rules.all()
    ]


def worst(story: Story) -> tuple[str, Window] | None:
    """The column and window with the largest PSI among the newest windows that were compared."""
    for window in reversed(story.windows):
        rows = story.drift.get(window.pk)
        if rows:
            top = max(rows, key=lambda row: row.psi)
            return top.column.name, window
    return None


def chosen(story: Story, column: str, start: str) -> tuple[str, Window] | None:
    """What the address asks for, or else the worst."""
    fallback = worst(story)
    if fallback is None:
        return None
    names = {item["name"] for item in story.monitor.columns}
    window = next((w for w in story.windows if f"{w.start:%Y-%m-%d}" == start), fallback[1])
    if column not in names:
        rows = story.drift.get(window.pk)
        column = max(rows, key=lambda row: row.psi).column.name if rows else fallback[0]
    return column, window


def distribution_of(story: Story, column: str, window: Window) -> dict[str, Any] | None:
    """The chosen column in the chosen window against the reference. Two queries."""
    reference = story.monitor.reference_columns.filter(name=column).first()
    if reference is None:
        return None
    entry = next(item for item in story.monitor.columns if item["name"] == column)
    return distribution.picture(
        reference,
        window,
        label=story.label(window),
        is_length=entry["policy"] == "count",
    )


def volume(story: Story) -> list[tuple[str, str]]:
    """Rows, labels, missing values and new categories of the newest window. One query."""
    last = story.last
    if last is None:
        return []
    items = [
        (f"Rows {story.during(last)}", num(last.rows)),
        ("Labelled", pct(last.labelled / last.rows)),
    ]
    profiles = list(
        last.profiles.select_related("column")
        .only("facts", "column__name")
        .order_by("column__position")
    )
    missing = [
        (row.facts["nulls"] / max(1, row.facts["rows"]), row.column.name) for row in profiles
    ]
    if missing and max(missing)[0] > 0:
        share, name = max(missing)
        items.append((f"Missing most: {name}", pct(share)))
    else:
        items.append(("Missing values", "none"))
    unseen = [(row.facts.get("unseen", 0), row.column.name) for row in profiles]
    if unseen and max(unseen)[0] > 0:
        count, name = max(unseen)
        items.append((f"New categories in {name}", f"{num(count)} rows"))
    infinite = sum(r.facts.get("pos_inf", 0) + r.facts.get("neg_inf", 0) for r in profiles)
    if infinite:
        items.append(("Infinite values", num(infinite)))
    return items
