"""Many batches over the wire: aiohttp on uvloop in a thread of its own, answers in order.

The loop runs in its own thread, so that calls go on while the caller writes what it has to the
database, and a slow caller makes no call miss its deadline.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import uvloop

from outbound.services.destinations import policy_for
from outbound.traffic import TrafficClient
from serving.services.predict import joined
from serving.wire import MAX_ANSWER_BYTES, OUTBOUND_ERRORS, Wire, explained, wire_of

if TYPE_CHECKING:
    from serving.models import Endpoint
    from serving.protocols.base import Prediction

Row = Mapping[str, Any]
CLOSING_SECONDS = 10.0


def score_batches(
    endpoint: Endpoint,
    batches: Iterable[Sequence[Row]],
    *,
    concurrency: int = 2,
    start: int = 0,
    deadline_s: float | None = None,
) -> Iterator[tuple[int, Prediction]]:
    """Yield ``(index, prediction)`` for each batch, in order, with ``concurrency`` calls under way.

    Args:
        batches: taken one by one in the caller's own thread; a batch over the endpoint's
            ``max_batch_rows`` goes in several calls.
        start: the index of the first batch to score; those before it are skipped unread by the
            endpoint, so that a job goes on where its cursor stands.
        deadline_s: total, per call; the endpoint's own unless given.

    Raises: EndpointUnavailable, EndpointRejected, Invalid: at the batch that failed, after every
        batch before it was yielded. What was under way behind it is given up.
    """
    wire = wire_of(endpoint, deadline_s=deadline_s)
    with _Engine(wire, concurrency) as engine:
        waiting: deque[tuple[int, Future[Prediction]]] = deque()
        for index, rows in enumerate(batches):
            if index < start:
                continue
            waiting.append((index, engine.ask(rows)))
            if len(waiting) >= concurrency:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)


score_many = score_batches


def _first(waiting: deque[tuple[int, Future[Prediction]]]) -> tuple[int, Prediction]:
    index, future = waiting.popleft()
    return index, future.result()


class _Engine:
    """A uvloop thread with one client; leaving it gives up what is still under way."""

    def __init__(self, wire: Wire, concurrency: int) -> None:
        self.wire = wire
        self.policy = policy_for(wire.workspace)
        self.concurrency = max(1, concurrency)
        self.loop = uvloop.new_event_loop()
        self.client: TrafficClient | None = None
        self.thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def __enter__(self) -> _Engine:
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self.loop).result()
        return self

    def __exit__(self, *exc: object) -> None:
        if sys.is_finalizing():
            return  # daemon threads stand still by now: nobody would answer
        closing = asyncio.run_coroutine_threadsafe(self._close(), self.loop)
        if threading.current_thread() is self.thread:
            # The garbage collector ended a forgotten stream, and it runs in whatever thread.
            closing.add_done_callback(lambda _: self.loop.stop())
            return
        closing.result(CLOSING_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(CLOSING_SECONDS)
        if not self.thread.is_alive():
            self.loop.close()

    def ask(self, rows: Sequence[Row]) -> Future[Prediction]:
        """Start one batch. Raises: Invalid when a row cannot be sent."""
        size = self.wire.max_batch_rows
        parts = [
            (self.wire.body(part), len(part))
            for part in (rows[at : at + size] for at in range(0, len(rows), size))
        ]
        return asyncio.run_coroutine_threadsafe(self._score(parts), self.loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _open(self) -> None:
        self.client = TrafficClient(self.policy, connections=self.concurrency)
        await self.client.__aenter__()

    async def _close(self) -> None:
        own = asyncio.current_task()
        under_way = [task for task in asyncio.all_tasks() if task is not own]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if self.client is not None:
            await self.client.__aexit__(None, None, None)

    @property
    def _ready(self) -> TrafficClient:
        if self.client is None:
            raise RuntimeError("the engine is used inside “with”")
        return self.client

    async def _score(self, parts: Sequence[tuple[bytes, int]]) -> Prediction:
        client = self._ready
        answers = []
        for body, rows in parts:
            try:
                response = await client.post(
                    self.wire.url,
                    headers=self.wire.headers,
                    body=body,
                    deadline_s=self.wire.deadline_s,
                    max_bytes=MAX_ANSWER_BYTES,
                )
            except OUTBOUND_ERRORS as error:
                raise explained(error) from None
            answers.append(self.wire.prediction(response, rows))
        return joined(answers)
