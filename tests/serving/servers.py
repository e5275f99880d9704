"""A real HTTP server on loopback that misbehaves as it is told; asyncio streams, nothing hidden."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

Handler = Callable[["Call"], Awaitable[None]]


class Call:
    """One request, and the means to answer it rightly or wrongly."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes, out: asyncio.StreamWriter):
        self.path = path
        self.headers = headers
        self.body = body
        self.out = out

    @property
    def rows(self) -> list[list[Any]]:
        return json.loads(self.body)["dataframe_split"]["data"]

    def raw(self, data: bytes) -> None:
        self.out.write(data)

    def answer(
        self, body: bytes | object, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(raw)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.out.write("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)


class Server:
    """Set ``handler``; read ``calls``."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.under_way = 0
        self.most_at_once = 0
        self.handler: Handler = echo_first
        self.loop = asyncio.new_event_loop()
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/invocations"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        if not self._thread.is_alive():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self.loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def _serve(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().split("\r\n")
                headers = {
                    name.strip().lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in lines if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                call = Call(first.split(" ")[1], headers, body, out)
                self.calls.append(call)
                self.under_way += 1
                self.most_at_once = max(self.most_at_once, self.under_way)
                try:
                    await self.handler(call)
                    await out.drain()
                finally:
                    self.under_way -= 1
                if out.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            out.close()


async def echo_first(call: Call) -> None:
    """The first column as the score."""
    call.answer({"predictions": [row[0] for row in call.rows]})


async def hang(call: Call) -> None:
    await asyncio.sleep(60)


async def drip(call: Call) -> None:
    call.raw(b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(600):
        call.raw(b" ")
        await call.out.drain()
        await asyncio.sleep(0.1)


async def break_off(call: Call) -> None:
    call.raw(b'HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n{"predic')
    await call.out.drain()
    call.out.transport.abort()


async def say_nothing(call: Call) -> None:
    call.out.transport.abort()


async def no_http(call: Call) -> None:
    call.raw(b"SSH-2.0-OpenSSH_9.2\r\n")
    await call.out.drain()
    call.out.close()


async def endless(call: Call) -> None:
    call.raw(b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\n\r\n")
    until = time.monotonic() + 20
    while time.monotonic() < until and not call.out.is_closing():
        call.raw(b" " * 1_000_000)
        await call.out.drain()


def fixed(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Handler:
    """Always this answer; a function is asked with the call."""

    async def handler(call: Call) -> None:
        call.answer(body(call) if callable(body) else body, status=status, headers=headers)

    return handler
