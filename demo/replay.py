"""Replays flights through the gateway at a steady rate, and counts what comes back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pandas as pd

SERVED_BY = "x-served-version"


@dataclass
class Tally:
    """What callers saw: answers and failures, by the version that the gateway named."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    transport_errors: int = 0

    @property
    def sent(self) -> int:
        return self.answers.total() + self.failures.total() + self.transport_errors

    @property
    def failed(self) -> int:
        return self.failures.total() + self.transport_errors


class Replay:
    """An open loop: requests leave on time whether or not earlier ones came back.

    Use as a context manager; ``tally`` may be read at any time, ``columns`` are what is sent.
    """

    def __init__(
        self, url: str, rows: pd.DataFrame, *, per_second: float, rows_each: int = 2
    ) -> None:
        self.url = url
        self.bodies = _bodies(rows, rows_each)
        self.per_second = per_second
        self.tally = Tally()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def __enter__(self) -> Replay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        asyncio.run(self._send_all())

    async def _send_all(self) -> None:
        waiting: set[asyncio.Task[None]] = set()
        start, sent = time.monotonic(), 0
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while not self._stop.is_set():
                due = start + sent / self.per_second
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                task = asyncio.create_task(self._one(session, self.bodies[sent % len(self.bodies)]))
                waiting.add(task)
                task.add_done_callback(waiting.discard)
                sent += 1
            await asyncio.gather(*waiting)

    async def _one(self, session: aiohttp.ClientSession, body: dict[str, Any]) -> None:
        try:
            async with session.post(self.url, json=body) as response:
                await response.read()
                version = response.headers.get(SERVED_BY, "nobody")
                (self.tally.answers if response.status == 200 else self.tally.failures)[
                    version
                ] += 1
        except (aiohttp.ClientError, TimeoutError):
            self.tally.transport_errors += 1


def _bodies(rows: pd.DataFrame, rows_each: int) -> list[dict[str, Any]]:
    # JSON has no NaN: a missing value is null.
    values = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
    return [
        {"dataframe_split": {"columns": list(rows.columns), "data": values[i : i + rows_each]}}
        for i in range(0, len(values) - rows_each + 1, rows_each)
    ]
