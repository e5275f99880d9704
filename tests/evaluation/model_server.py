"""A real HTTP model server in a thread, speaking MLflow's scoring protocol, well or badly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Row = dict[str, Any]


class ModelServer:
    """``score(row) -> float`` behind ``POST /invocations``.

    ``behave`` is looked at for every call: ``well``, ``http_500``, ``bad_rows``, ``redirect``,
    ``fewer``, ``nan``, ``html``, or ``hang`` (longer than any deadline of the tests).
    ``before_answer`` is called with the number of the call, before it is answered.
    """

    def __init__(self, score: Callable[[Row], float]) -> None:
        self.score = score
        self.behave = "well"
        self.calls = 0
        self.rows: list[Row] = []
        self.before_answer: Callable[[int], None] = lambda number: None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/invocations"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        with self._lock:
            self.calls += 1
            number = self.calls
        self.before_answer(number)
        behaviour = self.behave
        split = json.loads(body)["dataframe_split"]
        rows = [dict(zip(split["columns"], data, strict=True)) for data in split["data"]]
        if behaviour == "http_500":
            return 500, b'{"error_code": "INTERNAL_ERROR", "message": "boom"}', {}
        if behaviour == "bad_rows":
            return 400, b'{"error_code": "BAD_REQUEST"}', {}
        if behaviour == "redirect":
            return 302, b"", {"Location": "http://169.254.169.254/latest"}
        if behaviour == "html":
            return 200, b"<html>hello</html>", {}
        if behaviour == "hang":
            time.sleep(3)
        scores: list[Any] = [self.score(row) for row in rows]
        with self._lock:
            self.rows.extend(rows)
        if behaviour == "fewer":
            scores = scores[:-1]
        text = json.dumps({"predictions": scores})
        if behaviour == "nan":
            text = json.dumps({"predictions": [None, *scores[1:]]})
        return 200, text.encode(), {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer, headers = owner.answer(body)
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler
