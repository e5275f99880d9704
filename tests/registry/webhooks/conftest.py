"""MLflow's own client against our views, and real receivers on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.test import Client
from requests.adapters import BaseAdapter

from tests.factories import accounts
from tests.factories.outbound import DestinationFactory
from tests.outbound.conftest import Server, respond, serve

__all__ = ["serve"]

SECRET = "whsec_0123456789abcdef"


class InProcess(BaseAdapter):
    """Carries the client's requests to Django without a socket; nothing of the client is changed.

    That the same calls work over a real server is shown by tests/registry/mlflow_client.
    """

    def send(self, request: Any, **options: Any) -> requests.Response:
        parts = urlsplit(request.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        body = request.body or b""
        answer = Client().generic(
            request.method,
            path,
            body.encode() if isinstance(body, str) else body,
            content_type=request.headers.get("Content-Type", "application/json"),
            headers={name: value for name, value in request.headers.items() if name != "Cookie"},
        )
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(dict(answer.items()))
        response._content = answer.content
        response.request, response.url = request, request.url
        return response

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def mlflow_client(workspace: Any, person: Any, monkeypatch: Any) -> Callable[..., Any]:
    """``mlflow_client("administrator")``: the stock client with a token of such a person."""
    from mlflow import MlflowClient
    from mlflow.utils import request_utils

    session = requests.Session()
    session.mount("http://", InProcess())
    monkeypatch.setattr(request_utils, "_get_request_session", lambda *args, **kwargs: session)
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http,https")
    monkeypatch.setenv("_MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")

    def make(*roles: str) -> Any:
        _, token = accounts.token(workspace, user=person(*roles))
        uri = f"http://ci:{token}@countersign.test"
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    return make


@pytest.fixture
def receiver(serve: Callable[..., Server], workspace: Any) -> Server:
    """A server that takes everything, opened by the workspace's own administrator."""
    server = serve(respond(body=b"thanks"))
    allow(workspace, server)
    return server


def allow(workspace: Any, server: Server) -> None:
    DestinationFactory(workspace=workspace, cidr="127.0.0.1/32", port=server.port)


def received(server: Server, number: int = -1) -> tuple[dict[str, str], bytes]:
    """Headers (names in lower case) and body of one request."""
    head, _, body = server.requests[number].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    headers = {
        name.lower(): value.strip() for name, _, value in (it.partition(":") for it in lines)
    }
    return headers, body


def told(server: Server, number: int = -1) -> dict[str, Any]:
    """The JSON of one request."""
    content: dict[str, Any] = json.loads(received(server, number)[1])
    return content
