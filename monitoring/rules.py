"""When a rule crosses and when it alarms (pure): the same for live windows and back-tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

#: Metrics of which less is worse; of the others more is.
SCORES = frozenset({"auc", "accuracy"})
LOSSES = frozenset({"log_loss", "brier"})


@dataclass(frozen=True, slots=True)
class ColumnFact:
    """One column's drift in one window."""

    column: str
    psi: float
    is_significant: bool


@dataclass(frozen=True, slots=True)
class WindowFact:
    """What rules look at: one window's results."""

    key: int
    start: datetime
    rows: int
    labelled: int
    drift: tuple[ColumnFact, ...] = ()
    realised: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule without its name: effect, in ``k`` of the last ``n`` judged windows."""

    kind: str
    metric: str
    threshold: float
    k: int
    n: int
    min_rows: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judged window.

    Attributes:
        value: the largest PSI of a significant column (of any, if none is), or the metric.
        columns: those that crossed, the largest PSI first.
        crossed: the effect is there; alarms: also ``k`` of the last ``n`` judged windows crossed.
    """

    key: int
    start: datetime
    value: float
    columns: tuple[str, ...]
    crossed: bool
    count: int
    of: int
    alarms: bool


def judge(condition: Condition, windows: Sequence[WindowFact]) -> list[Verdict]:
    """A verdict for every window that has enough to be judged by, the oldest first.

    Windows with fewer than ``min_rows`` rows (labelled rows for a performance rule) are passed
    over: they count neither for nor against.
    """
    verdicts: list[Verdict] = []
    for window in windows:
        effect = _effect(condition, window)
        if effect is None:
            continue
        value, columns, crossed = effect
        recent = [*(verdict.crossed for verdict in verdicts), crossed][-condition.n :]
        verdicts.append(
            Verdict(
                key=window.key,
                start=window.start,
                value=value,
                columns=columns,
                crossed=crossed,
                count=sum(recent),
                of=len(recent),
                alarms=crossed and sum(recent) >= condition.k,
            )
        )
    return verdicts


def episodes(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts that would have opened an alert: the first of each unbroken run of alarms.

    A person resolves an alert in life; here it counts as resolved with the first calm window.
    """
    opened = []
    is_open = False
    for verdict in verdicts:
        if verdict.alarms and not is_open:
            opened.append(verdict)
            is_open = True
        elif not verdict.crossed:
            is_open = False
    return opened


def _effect(condition: Condition, window: WindowFact) -> tuple[float, tuple[str, ...], bool] | None:
    if condition.kind == "drift":
        if window.rows < condition.min_rows or not window.drift:
            return None
        ordered = sorted(window.drift, key=lambda fact: (-fact.psi, fact.column))
        moved = [f for f in ordered if f.is_significant and f.psi > condition.threshold]
        value = (moved or ordered)[0].psi
        return value, tuple(fact.column for fact in moved), bool(moved)
    found = window.realised.get(condition.metric)
    if found is None or window.labelled < condition.min_rows:
        return None
    if condition.metric in SCORES:
        return found, (), found <= condition.threshold
    return found, (), found >= condition.threshold
