"""One column of one window against the reference, as bars."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.ui.figures import num, pct
from monitoring import selectors
from monitoring.models import ReferenceColumn, Window
from monitoring.profiles import CategoricalProfile, CategoricalSpec, NumericProfile, NumericSpec
from monitoring.profiles.categorical import labels
from monitoring.profiles.codec import unpack_profile, unpack_spec

GREY, RED = "rgba(128,136,144,0.55)", "#d9534a"
BARS = 30
MOST_CATEGORIES = 14


def picture(
    column: ReferenceColumn, window: Window, *, label: str, is_length: bool
) -> dict[str, Any] | None:
    """Chart, caption and table; None when nothing was counted in this window. One query."""
    spec = unpack_spec(column.kind, column.spec)
    before = unpack_profile(spec, column.counts, column.facts)
    after = selectors.column_profile(window, column, spec)
    if isinstance(spec, NumericSpec):
        if not isinstance(before, NumericProfile) or not isinstance(after, NumericProfile):
            return None
        return _numeric(column.name, spec, before, after, label, is_length)
    if not isinstance(before, CategoricalProfile) or not isinstance(after, CategoricalProfile):
        return None
    return _categorical(column.name, spec, before, after, label)


def _numeric(
    name: str,
    spec: NumericSpec,
    before: NumericProfile,
    after: NumericProfile,
    label: str,
    is_length: bool,
) -> dict[str, Any]:
    edges = _edges(spec, before, after)
    shares = [_shares(profile, spec, edges) for profile in (before, after)]
    middles = [float(f"{value:.6g}") for value in (edges[:-1] + edges[1:]) / 2]
    title = f"characters in {name}" if is_length else name
    return {
        "caption": _numeric_caption(spec, before, after, label),
        "spec": _spec(middles, shares, label, title),
        "columns": [title, *_headings(label)],
        "rows": [
            [f"{low:.6g} – {high:.6g}", f"{a:.2f} %", f"{b:.2f} %"]
            for low, high, a, b in zip(edges[:-1], edges[1:], *shares, strict=True)
        ],
    }


def _edges(spec: NumericSpec, before: NumericProfile, after: NumericProfile) -> NDArray[np.float64]:
    """Equal widths over what both hold, without the outermost half per cent."""
    ends = [p.quantile(q, spec) for p in (before, after) for q in (0.005, 0.995)]
    known = [value for value in ends if value is not None] or [0.0]
    low, high = min(known), max(known)
    if spec.is_discrete and _are_whole(spec.edges) and high - low <= 2 * BARS:
        # Whole numbers get a bar each.
        return np.arange(np.floor(low) - 0.5, np.ceil(high) + 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BARS + 1)


def _are_whole(values: NDArray[np.float64]) -> bool:
    # The score's threshold is an edge too and need not be whole; all others are.
    return bool((values != np.round(values)).sum() == 0)


def _shares(profile: NumericProfile, spec: NumericSpec, edges: NDArray[np.float64]) -> list[float]:
    """Per cent of the finite rows per bar; the outermost bars take what lies beyond them."""
    if not profile.finite:
        return [0.0] * (edges.size - 1)
    values, counts = profile.points(spec)
    cumulative = np.concatenate([[0], np.cumsum(counts)])
    if spec.is_discrete:
        below = cumulative[np.searchsorted(values, edges[1:-1], side="right")]
    else:
        below = np.interp(edges[1:-1], values, cumulative[1:])
    parts = np.diff(np.concatenate([[0], below, [profile.finite]]))
    return [round(100 * float(part) / profile.finite, 3) for part in parts]


def _numeric_caption(
    spec: NumericSpec, before: NumericProfile, after: NumericProfile, label: str
) -> str:
    old, new = before.quantile(0.5, spec), after.quantile(0.5, spec)
    if old is None or new is None:
        return f"{label}: every value is missing."
    values, counts = after.points(spec)
    lower = float(counts[values <= old].sum() / after.finite)
    text = (
        f"{label}: median {new:.4g}, in the reference {old:.4g}; "
        f"{pct(lower, 0)} of its values lie in the reference’s lower half"
    )
    missing = [(p.rows - p.finite) / max(1, p.rows) for p in (after, before)]
    if max(missing) > 0:
        text += f". Missing or infinite: {pct(missing[0])}, in the reference {pct(missing[1])}"
    return f"{text}."


def _categorical(
    name: str,
    spec: CategoricalSpec,
    before: CategoricalProfile,
    after: CategoricalProfile,
    label: str,
) -> dict[str, Any]:
    names = list(labels(spec))
    counts = np.stack([before.with_nulls(), after.with_nulls()])
    shares = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    special = {len(names) - 3, len(names) - 2, len(names) - 1}
    order = [int(i) for i in np.argsort(-shares.max(axis=0), kind="stable") if i not in special]
    shown = order[:MOST_CATEGORIES]
    folded = order[MOST_CATEGORIES:]
    axis = [names[i] for i in shown]
    pair = [[round(float(row[i]), 3) for i in shown] for row in shares]
    rest = [row[folded].sum() + row[len(names) - 3] for row in shares]
    for title, values in (
        ("other", rest),
        ("unseen", shares[:, len(names) - 2]),
        ("missing", shares[:, len(names) - 1]),
    ):
        if max(values) > 0:
            axis.append(f"({title})")
            for bars, value in zip(pair, values, strict=True):
                bars.append(round(float(value), 3))
    gap = shares[1] - shares[0]
    most = int(np.argmax(np.abs(gap)))
    caption = (
        f"{label}: “{names[most]}” moved most, from {shares[0][most]:.1f} % of rows to "
        f"{shares[1][most]:.1f} %."
    )
    if after.unseen:
        caption += f" {num(after.unseen)} rows hold values that the reference never had."
    return {
        "caption": caption,
        "spec": _spec(axis, pair, label, name, is_category=True),
        "columns": [name, *_headings(label)],
        "rows": [
            [title, f"{a:.2f} %", f"{b:.2f} %"] for title, a, b in zip(axis, *pair, strict=True)
        ],
    }


def _headings(label: str) -> list[dict[str, Any]]:
    return [{"label": "Reference", "numeric": True}, {"label": label, "numeric": True}]


def _spec(
    x: list[Any], shares: list[list[float]], label: str, title: str, *, is_category: bool = False
) -> dict[str, Any]:
    return {
        "data": [
            {"type": "bar", "x": x, "y": shares[0], "name": "reference", "marker": {"color": GREY}},
            {
                "type": "bar",
                "x": x,
                "y": shares[1],
                "name": label,
                "marker": {"color": RED},
                "opacity": 0.75,
            },
        ],
        "layout": {
            "barmode": "group" if is_category else "overlay",
            "bargap": 0.2 if is_category else 0.02,
            "margin": {"l": 48, "r": 8, "t": 8, "b": 40},
            "legend": {"orientation": "h", "y": 1.2},
            "xaxis": {"title": {"text": title}, **({"type": "category"} if is_category else {})},
            "yaxis": {"title": {"text": "share of rows, %"}, "rangemode": "tozero"},
        },
    }
