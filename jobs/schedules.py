"""What is done again and again: a name, a period, a short function. Registered in ``apps.ready()``.

    schedules.register("outbound.deliver", every_s=5, func=deliver_due)

A slot (Unix time divided by the period) is taken by inserting its row, so that two beats, or beat
and three workers, run it once. A function that dies loses its slot and runs again in the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from jobs.registry import QUEUES


@dataclass(frozen=True, slots=True)
class Schedule:
    name: str
    every_s: float
    func: Callable[[], Any]
    queue: str


_schedules: dict[str, Schedule] = {}

_TAKE = """
    WITH clock AS (SELECT floor(extract(epoch FROM clock_timestamp()) / %(every)s)::bigint AS slot),
    old AS (DELETE FROM jobs_tick WHERE name = %(name)s AND slot < (SELECT slot - 10 FROM clock))
    INSERT INTO jobs_tick (name, slot) SELECT %(name)s, slot FROM clock
    ON CONFLICT DO NOTHING
    RETURNING slot
"""
_LATEST = """
    SELECT name, max(slot), extract(epoch FROM clock_timestamp())::float8
      FROM jobs_tick WHERE name = ANY(%s) GROUP BY name
"""


def register(name: str, every_s: float, func: Callable[[], Any], *, queue: str = "default") -> None:
    """Run ``func`` about every ``every_s`` seconds (at least 1), on a worker of ``queue``.

    It should take seconds at most; longer work is a job that it enqueues.
    """
    if queue not in QUEUES:
        raise ValueError(f"no worker listens on the queue {queue!r}")
    if every_s < 1 or len(name) > 64:
        raise ValueError("a schedule has a period of a second or more and a short name")
    _schedules[name] = Schedule(name, float(every_s), func, queue)


def forget(name: str) -> None:
    """Take a schedule back; tests use it."""
    _schedules.pop(name, None)


def take(name: str, every_s: float) -> bool:
    """Whether the present slot is ours to run; at most one caller ever hears True for a slot."""
    with connection.cursor() as sql:
        sql.execute(_TAKE, {"name": name, "every": every_s})
        return sql.fetchone() is not None


def due(queues: tuple[str, ...]) -> list[Schedule]:
    """The schedules of these queues whose present slot nobody has taken yet."""
    ours = [schedule for schedule in _schedules.values() if schedule.queue in queues]
    if not ours:
        return []
    with connection.cursor() as sql:
        sql.execute(_LATEST, [[schedule.name for schedule in ours]])
        rows = sql.fetchall()
    latest = {name: slot for name, slot, _ in rows}
    if not rows:
        return ours
    now = rows[0][2]
    return [one for one in ours if latest.get(one.name, -1) < int(now // one.every_s)]


def run(name: str) -> bool:
    """Run this schedule's present slot unless somebody has; False when there was nothing to do."""
    schedule = _schedules.get(name)
    if schedule is None or not take(name, schedule.every_s):
        return False
    schedule.func()
    return True
