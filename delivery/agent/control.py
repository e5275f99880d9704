"""The agent's side of ``/xds/v1/gateways/{id}``: one bearer token, long polls, small posts."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


class ControlUnreachable(Exception):
    """Countersign did not answer, or not as agreed; the gateway goes on as it is."""


@dataclass(slots=True)
class Control:
    """Talks to one gateway's two routes.

    Attributes:
        base_url: Countersign's base URL, ``http`` or ``https``.
        gateway: the gateway's id.
        token: a token with the scope ``gateway``.
    """

    base_url: str
    gateway: str
    token: str
    etag: str = ""
    _polling: http.client.HTTPConnection | None = field(default=None, repr=False)

    def poll(self, *, wait_s: int) -> dict[str, Any] | None:
        """The configuration if it changed within ``wait_s`` seconds, else None."""
        status, headers, body = self._call(
            "GET", f"?wait={wait_s}", timeout_s=wait_s + 10.0, etag=self.etag
        )
        if status == 304:
            return None
        if status != 200:
            raise ControlUnreachable(f"answered {status}")
        try:
            config = json.loads(body)
            whole = {
                "revision": int(config["revision"]),
                "cds": config["cds"],
                "rds": config["rds"],
            }
            _ = [cluster["name"] for cluster in whole["cds"]["resources"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ControlUnreachable(f"answered something else: {error!r}") from error
        self.etag = headers.get("etag", "")
        return whole

    def hang_up(self) -> None:
        """End a poll that waits; it raises ``ControlUnreachable``. Safe in a signal handler."""
        connection = self._polling
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def report(self, status: dict[str, Any]) -> None:
        """Post what the gateway serves, what it refused, and its counters."""
        code, _, _ = self._call("POST", "/status", timeout_s=10.0, body=json.dumps(status))
        if code not in (200, 204):
            raise ControlUnreachable(f"answered {code}")

    def _call(
        self, method: str, tail: str, *, timeout_s: float, body: str | None = None, etag: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.base_url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        headers = {"Authorization": f"Bearer {self.token}"}
        if etag:
            headers["If-None-Match"] = etag
        if body is not None:
            headers["Content-Type"] = "application/json"
        path = f"{parts.path.rstrip('/')}/xds/v1/gateways/{self.gateway}{tail}"
        if method == "GET":
            self._polling = connection
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            # A server may spell them as it likes: granian's are in lower case.
            answered = {name.lower(): value for name, value in response.getheaders()}
            return response.status, answered, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ControlUnreachable(str(error)) from error
        finally:
            if method == "GET":
                self._polling = None
            connection.close()
