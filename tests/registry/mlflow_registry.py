"""A small real HTTP server that speaks the calls of MLflow that an import reads."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PROMPT = "mlflow.prompt.is_prompt"


@dataclass
class Registry:
    """What it holds, and what it was asked."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    token: str = ""
    page: int = 2
    knows_prompts: bool = True
    asked: list[str] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    #: Answered once each, before anything else: statuses.
    troubles: list[int] = field(default_factory=list)
    #: Paths that are answered with this, whatever was asked.
    nonsense: dict[str, bytes] = field(default_factory=dict)
    url: str = ""

    def add(self, name: str, *versions: dict[str, Any], **model: Any) -> None:
        self.models[name] = {
            "name": name,
            "creation_timestamp": 1_700_000_000_000,
            "last_updated_timestamp": 1_700_000_000_000,
            **model,
        }
        self.versions[name] = [
            {
                "name": name,
                "version": str(number),
                "creation_timestamp": 1_700_000_000_000 + number,
                "last_updated_timestamp": 1_700_000_000_000 + number,
                "current_stage": "None",
                "status": "READY",
                "source": f"s3://bucket/{name}/{number}",
                "run_id": "",
                **version,
                **({"version": str(version["version"])} if "version" in version else {}),
            }
            for number, version in enumerate(versions, 1)
        ]

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        one = {key: values[0] for key, values in query.items()}
        if path == "registered-models/search":
            wants_prompts = "is_prompt" in one.get("filter", "")
            if wants_prompts and not self.knows_prompts:
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "secret text"}
            names = sorted(
                name
                for name, model in self.models.items()
                if any(tag["key"] == PROMPT for tag in model.get("tags", ())) == wants_prompts
            )
            return 200, self._page("registered_models", [self.models[it] for it in names], one)
        if path == "registered-models/get":
            model = self.models.get(one["name"])
            return (200, {"registered_model": model}) if model else _not_there()
        if path == "model-versions/search":
            rest = one["filter"].removeprefix("name = ")
            name = rest[1 : rest.index(rest[0], 1)]
            return 200, self._page("model_versions", self.versions[name][::-1], one)
        if path == "runs/get":
            run = self.runs.get(one["run_id"])
            return (200, {"run": run}) if run else _not_there()
        return 404, {"error_code": "ENDPOINT_NOT_FOUND"}

    def _page(self, key: str, rows: list[Any], one: dict[str, str]) -> dict[str, Any]:
        start = int(one.get("page_token") or 0)
        end = start + self.page
        more = {"next_page_token": str(end)} if end < len(rows) else {}
        return {key: rows[start:end], **more}


def _not_there() -> tuple[int, Any]:
    return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not there"}


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    """The registry on a port of its own; its ``url`` is set."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/api/2.0/mlflow/")
            registry.asked.append(path)
            given = self.headers.get("Authorization", "")
            registry.authorizations.add(given)
            if registry.troubles:
                self._send(registry.troubles.pop(0), b"{}")
            elif registry.token and given != f"Bearer {registry.token}":
                self._send(401, b"{}")
            elif path in registry.nonsense:
                self._send(200, registry.nonsense[path])
            else:
                status, body = registry.answer(path, parse_qs(parts.query))
                self._send(status, json.dumps(body).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
