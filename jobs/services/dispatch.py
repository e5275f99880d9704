"""Ringing for whatever could run now: lost nudges, waits that are over, and periodic work."""

from __future__ import annotations

from django.conf import settings

from jobs import broker, conf, schedules, selectors
from jobs.registry import QUEUES
from jobs.services.reap import reap


def ping_every_s() -> float:
    """Seconds between two pings of a queue: four chances before a worker counts as deaf."""
    return conf.deaf_after_s() / 4


def dispatch(queues: tuple[str, ...] = QUEUES, *, every_s: float | None = None) -> int:
    """Reap, then ring for due jobs and schedules; how many bells rang.

    Beat calls it and so does every worker, about each second; the first caller in a slot of
    ``every_s`` (default ``JOB_DISPATCH_SECONDS``) does it for all. Queues that already hold many
    unanswered bells get no more of them.
    """
    period = settings.JOB_DISPATCH_SECONDS if every_s is None else every_s
    if not schedules.take(f"dispatch {'+'.join(queues)}"[:64], period):
        return 0
    reap()
    ping = schedules.take(f"ping {'+'.join(queues)}"[:64], ping_every_s())
    bells: list[tuple[str, list[object], str]] = [
        ("jobs.ping", [queue], queue) for queue in queues if ping
    ]
    bells += [("jobs.periodic", [one.name], one.queue) for one in schedules.due(queues)]
    bells += [("jobs.nudge", [uid], queue) for uid, queue in selectors.due(queues, broker.CROWDED)]
    if not bells:
        return 0
    held = broker.waiting(queues)
    if held is None:
        return 0
    return broker.ring(bell for bell in bells if held.get(bell[2], 0) < broker.CROWDED)
