"""What the rollout's page says: one sentence of fact, the steps, two pictures with captions."""

from __future__ import annotations

from typing import Any

from audit.actions import Action
from audit.selectors import Line, events, lines
from delivery import analysis, selectors
from delivery import plan as plans
from delivery.models import Rollout, RolloutSample, RolloutStep
from delivery.services import advance, companions, measure

BLUE, ORANGE, RED, GREY = "#4c7fe0", "#c77a1f", "#d9534a", "#808890"
#: The pair of error rates by which the page explains how many answers are needed.
BASE_RATE, WORSE_RATE = 0.01, 0.05
MAX_LOG = 50


def of(rollout: Rollout) -> dict[str, Any]:
    """The page's figures; reads at most 300 samples whatever the rollout's length."""
    steps = list(rollout.steps.all())
    rows = selectors.samples(rollout)
    plan = plans.parse(rollout.plan)
    current = next(
        (s for s in steps if s.state in {RolloutStep.State.SETTING, RolloutStep.State.RUNNING}),
        None,
    )
    latest = rows[-1] if rows else None
    return {
        "along": companions.shown(rollout),
        "steps": [_step_row(step) for step in steps],
        "current": current,
        "fact": _fact(rollout, current, latest),
        "share_done": advance.progress(rollout)[0],
        "needed": analysis.answers_needed(BASE_RATE, WORSE_RATE),
        "evidence_chart": _evidence_chart(rows, measure.boundary(plan.limits)),
        "events": _log(rollout),
        "latency_chart": _latency_chart(rollout, rows, plan.limits.slow_ms),
    }


def _log(rollout: Rollout) -> list[dict[str, Any]]:
    """The rollout's events as lines of its log, the newest first."""
    found = events(rollout.workspace, object_type="rollout", object_id=str(rollout.uid))
    return [
        {
            "at": line.event.at,
            "who": "" if line.event.actor_pid.startswith("system:") else line.who,
            "what": _what(line),
        }
        for line in lines(found.order_by("-pk")[:MAX_LOG])
    ]


def _what(line: Line) -> str:
    details = line.body["details"]
    weight, step = details.get("weight"), details.get("step")
    told = {
        Action.ROLLOUT_STEP_INTENDED: f"Step {step} begins: {weight} %, the approval holds"
        if step
        else "All traffic is sent back",
        Action.ROLLOUT_STEP_DONE: f"The gateway serves step {step}: {weight} %",
        Action.ROLLOUT_STEP_FAILED: f"Step {step} failed: {details.get('verdict')}",
    }
    text = told.get(Action(line.event.action), line.what)
    if line.event.actor_pid.startswith("system:"):
        text = text[:1].upper() + text[1:]
    return f"{text}. {line.reason}" if line.reason else text


def _step_row(step: RolloutStep) -> dict[str, Any]:
    arms = {name: step.measured.get(name) or measure.EMPTY for name in ("candidate", "stable")}
    total = arms["candidate"]["answers"] + arms["stable"]["answers"]
    return {
        "step": step,
        "answers": arms["candidate"]["answers"] if step.measured else None,
        "share": arms["candidate"]["answers"] / total if total else None,
    }


def _rate(arm: dict[str, Any]) -> str:
    if not arm["answers"]:
        return "no answers yet"
    return f"{100 * arm['errors'] / arm['answers']:.2f} %"


def _fact(rollout: Rollout, current: RolloutStep | None, latest: RolloutSample | None) -> str:
    """One sentence of fact, from the rows alone."""
    new = rollout.to_version.number
    state = rollout.state
    if rollout.route.is_read:
        return _handed_over(rollout)
    if state == Rollout.State.SUCCEEDED:
        return f"Version {new} carries all of {rollout.route.name}; nothing was worse on the way."
    if state in {Rollout.State.ROLLED_BACK, Rollout.State.FAILED}:
        return rollout.reason or f"Version {new} carries no traffic."
    if state == Rollout.State.NEEDS_OPERATOR:
        return f"Somebody must decide: {rollout.reason}"
    if state == Rollout.State.ROLLING_BACK:
        return f"All traffic goes back. {rollout.reason}"
    if current is None or latest is None or latest.step_id != current.pk:
        wanted = f" for {current.weight} %" if current else ""
        return f"Version {new} waits for the gateway{wanted}."
    candidate, stable = latest.candidate, latest.stable
    total = candidate["answers"] + stable["answers"]
    share = f"{100 * candidate['answers'] / total:.1f} %" if total else "Nothing"
    compared = f" against {_rate(stable)}" if stable["answers"] else ""
    paused = f" Paused. {rollout.reason}" if state == Rollout.State.PAUSED else ""
    return (
        f"{share} of requests reach version {new} ({current.weight} % wanted)."
        f" {candidate['answers']:,} of {current.min_answers:,} answers are in."
        f" Errors: {_rate(candidate)}{compared}.{paused}"
    )


def _handed_over(rollout: Rollout) -> str:
    """The sentence of a rollout that shares out no traffic."""
    new, route, state = rollout.to_version.number, rollout.route, rollout.state
    if state == Rollout.State.SUCCEEDED:
        text = f"Version {new} is handed over: whoever asks {route.name} is told to run it"
        if route.held_version_id is not None and route.held_version_id == rollout.from_version_id:
            text += ", ring by ring"
        if route.taken_version_id == rollout.to_version_id and route.taken_at is not None:
            return f"{text}. First asked for on {route.taken_at:%d %b %Y %H:%M} UTC."
        return f"{text}. Nobody has asked since."
    if state in {Rollout.State.ROLLED_BACK, Rollout.State.FAILED}:
        return rollout.reason or f"Nobody is told to run version {new}."
    if state == Rollout.State.NEEDS_OPERATOR:
        return f"Somebody must decide: {rollout.reason}"
    if state == Rollout.State.PAUSED:
        return f"Version {new} is not handed over yet: paused. {rollout.reason}".strip()
    return f"Version {new} is being handed over to the readers of {route.name}."


def _times(rows: list[RolloutSample]) -> tuple[str, list[float]]:
    """The unit that suits the rollout's length so far, and each look's time in it."""
    seconds = [(row.at - rows[0].at).total_seconds() for row in rows]
    if seconds[-1] < 180:
        return "seconds", [round(value, 1) for value in seconds]
    return "minutes", [round(value / 60, 3) for value in seconds]


def _evidence_chart(rows: list[RolloutSample], boundary: float) -> dict[str, Any] | None:
    if not rows:
        return None
    unit, x = _times(rows)
    values = [round(row.log_e_errors, 3) for row in rows]
    highest = max(0.0, *values)
    if highest >= boundary:
        caption = (
            f"The evidence reached {highest:.1f}, over the line at {boundary:.1f}:"
            " it rolled back by itself."
        )
    else:
        caption = (
            f"The evidence stays below the line: {highest:.1f} at most,"
            f" {boundary:.1f} would roll back. Looking often does not cry wolf:"
            " the test is valid at every look."
        )
    return {
        "caption": caption,
        "spec": {
            "data": [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": x,
                    "y": values,
                    "name": "evidence of more errors",
                    "line": {"color": ORANGE},
                },
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": [x[0], x[-1]],
                    "y": [boundary] * 2,
                    "name": "roll back above this",
                    "line": {"color": RED, "dash": "dash"},
                },
            ],
            "layout": {
                "margin": {"l": 48, "r": 8, "t": 8, "b": 40},
                "xaxis": {"title": {"text": f"{unit} since the first look"}},
                "yaxis": {"title": {"text": "log e-value, error rate"}},
                "legend": {"orientation": "h", "y": 1.2},
            },
        },
        "columns": [unit.capitalize(), "log e-value"],
        "rows": [[f"{a:.2f}", f"{b:.2f}"] for a, b in zip(x, values, strict=True)][-40:],
    }


def _latency_chart(
    rollout: Rollout, rows: list[RolloutSample], slow_ms: int
) -> dict[str, Any] | None:
    if not rows:
        return None
    unit, x = _times(rows)
    traces = []
    if rollout.from_version is not None:
        stable = [row.stable.get("p99_ms") for row in rows]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": x,
                "y": stable,
                "connectgaps": False,
                "name": f"version {rollout.from_version.number}",
                "line": {"color": GREY},
            }
        )
    candidate = [row.candidate.get("p99_ms") for row in rows]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "x": x,
            "y": candidate,
            "name": f"version {rollout.to_version.number}",
            "line": {"color": BLUE},
        }
    )
    last = next((value for value in reversed(candidate) if value is not None), None)
    before = next((r.stable.get("p99_ms") for r in reversed(rows) if r.stable.get("p99_ms")), None)
    caption = "No answer has been timed yet."
    if last is not None:
        caption = f"Version {rollout.to_version.number} answers 99 % within {last:.0f} ms"
        caption += f", the live version within {before:.0f} ms" if before is not None else ""
        caption += f"; over {slow_ms:,} ms counts as slow."
    return {
        "caption": caption,
        "spec": {
            "data": traces,
            "layout": {
                "margin": {"l": 56, "r": 8, "t": 8, "b": 40},
                "xaxis": {"title": {"text": f"{unit} since the first look"}},
                "yaxis": {"title": {"text": "p99 latency, ms"}, "rangemode": "tozero"},
                "legend": {"orientation": "h", "y": 1.2},
            },
        },
        "columns": [unit.capitalize(), "Live, ms", "New, ms"],
        "rows": [
            [f"{a:.2f}", _ms(row.stable.get("p99_ms")), _ms(row.candidate.get("p99_ms"))]
            for a, row in zip(x, rows, strict=True)
        ][-40:],
    }


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
