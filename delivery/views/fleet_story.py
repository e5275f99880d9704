"""What a fleet's page says: one sentence, the shares over time, the rings."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from delivery.fleet import BEHIND, CURRENT, RECALLED, SILENT, UNKNOWN, Fleet, Summary

COLOURS = ("#4c7fe0", "#c77a1f", "#3c9a57", "#2a9d9d", "#b0893a", "#5f6fa8")
RED, GREY, VIOLET = "#d9534a", "#808890", "#8a63d2"
MAX_VERSIONS = 6
#: By state: word, tone and icon of its badge.
LOOKS = {
    RECALLED: ("Called back", "danger", "ban"),
    UNKNOWN: ("No release of this model", "danger", "question-mark"),
    SILENT: ("Silent", "secondary", "clock"),
    BEHIND: ("Behind", "warning", "alert-triangle"),
    CURRENT: ("Current", "success", "check"),
    "held": ("Held for later rings", "secondary", "player-pause"),
}


def look(state: str) -> tuple[str, str, str]:
    return LOOKS[state]


def fact(fleet: Fleet, found: Summary) -> str:
    """One sentence of fact, from the rows alone."""
    if not found.devices:
        return "No device has reported yet."
    total = f"{found.devices:,} device{'s' if found.devices != 1 else ''}"
    parts = []
    if fleet.live is not None:
        on = next((it for it in found.shares if it.version == fleet.live), None)
        share = on.share if on is not None else 0.0
        parts.append(
            f"{share * 100:.1f} % of {total} run version {fleet.live.number}, the live one"
        )
    else:
        parts.append(f"{total}; no version is live")
    behind = found.states[BEHIND]
    if behind:
        parts.append(f"{behind:,} lag{'s' if behind == 1 else ''} behind")
    if found.states[SILENT]:
        parts.append(f"{found.states[SILENT]:,} silent")
    if found.states[UNKNOWN]:
        parts.append(f"{found.states[UNKNOWN]:,} on no release of this model")
    text = ", ".join(parts) + "."
    if found.states[RECALLED]:
        text += f" {found.states[RECALLED]:,} must stop: what they run is called back."
    return text


def chart(fleet: Fleet, days: dict[date, dict[str, int]]) -> dict[str, Any] | None:
    """Shares of the devices that spoke on each day, stacked by what they ran."""
    if not days:
        return None
    first, last = min(days), max(days)
    axis = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    totals: dict[str, int] = {}
    for counts in days.values():
        for label, count in counts.items():
            totals[label] = totals.get(label, 0) + count
    labels = sorted(totals, key=lambda it: (not it.startswith("version"), _number(it)))
    kept = set(sorted(labels, key=lambda it: -totals[it])[:MAX_VERSIONS])
    shown = [it for it in labels if it in kept]
    if len(shown) < len(labels):
        shown.append("others")
    recalled = {f"version {it.version.number}" for it in fleet.recalls}
    series = {label: [_share(days.get(day, {}), label, kept) for day in axis] for label in shown}
    return {
        "caption": _caption(fleet, axis, series),
        "spec": {
            "data": [
                {
                    "type": "bar",
                    "x": [day.isoformat() for day in axis],
                    "y": [None if value is None else round(100 * value, 2) for value in values],
                    "name": label,
                    "marker": {"color": _colour(label, index, recalled)},
                }
                for index, (label, values) in enumerate(series.items())
            ],
            "layout": {
                "barmode": "stack",
                "bargap": 0.15,
                "margin": {"l": 48, "r": 8, "t": 8, "b": 40},
                "xaxis": {"type": "date"},
                "yaxis": {"title": {"text": "% of devices heard"}, "range": [0, 100]},
                "legend": {"orientation": "h", "y": 1.2},
            },
        },
        "columns": ["Day", "Devices heard", *shown],
        "rows": [
            [
                f"{day:%d %b %Y}",
                f"{sum(days.get(day, {}).values()):,}",
                *(_percent(series[label][index]) for label in shown),
            ]
            for index, day in enumerate(axis)
        ],
    }


def _caption(fleet: Fleet, axis: list[date], series: dict[str, list[float | None]]) -> str:
    live = f"version {fleet.live.number}" if fleet.live is not None else ""
    values = [value for value in series.get(live, []) if value is not None]
    span = f"{axis[0]:%d %b}" if axis[0] == axis[-1] else f"{axis[0]:%d %b} to {axis[-1]:%d %b}"
    if not values:
        return f"{span}: no device that was heard ran the live version."
    if len(values) == 1 or values[0] == values[-1]:
        return f"{span}: {_percent(values[-1])} of the devices heard ran {live}."
    verb = "rose" if values[-1] > values[0] else "fell"
    return (
        f"{span}: the share of {live} {verb} from {_percent(values[0])} to {_percent(values[-1])}"
        " of the devices heard on a day."
    )


def rings(fleet: Fleet, found: Summary) -> list[dict[str, Any]]:
    """Each ring with what it is given and how much of it runs that."""
    if fleet.route is None:
        return []
    rows = []
    names = {ring.name for ring in fleet.rings}
    for ring in fleet.rings:
        waits = ring in fleet.waiting
        given = fleet.held if waits else fleet.live
        members = {ring.name} | (_strangers(found, names) if ring is fleet.rings[-1] else set())
        on = {
            it.version.pk if it.version is not None else None: sum(
                count for name, count in it.rings.items() if name in members
            )
            for it in found.shares
        }
        total = sum(on.values())
        there = on.get(given.pk, 0) if given is not None else 0
        rows.append(
            {
                "ring": ring,
                "waits": waits,
                "is_next": fleet.next_ring == ring,
                "given": given,
                "devices": total,
                "share": there / total if total else None,
            }
        )
    return rows


def _strangers(found: Summary, names: set[str]) -> set[str]:
    """Rings that devices name and nobody set up: they belong to the last."""
    return {name for it in found.shares for name in it.rings} - names


def _share(counts: dict[str, int], label: str, kept: set[str]) -> float | None:
    total = sum(counts.values())
    if not total:
        return None
    if label == "others":
        return sum(count for name, count in counts.items() if name not in kept) / total
    return counts.get(label, 0) / total


def _colour(label: str, index: int, recalled: set[str]) -> str:
    if label in recalled:
        return RED
    if not (label.startswith("version") or label == "others"):
        return VIOLET
    return GREY if label == "others" else COLOURS[index % len(COLOURS)]


def _number(label: str) -> int:
    digits = label.rpartition(" ")[2]
    return int(digits) if digits.isdigit() else 0


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
