"""``manage.py discover``: what answers out there and is not registered here."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from serving.services import discover
from tests.factories.accounts import WorkspaceFactory
from tests.factories.registry import ModelVersionFactory
from tests.factories.serving import EndpointFactory
from tests.registry.mlflow_registry import Registry, serving

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def scoring_server(version: str = "3.17.2") -> Iterator[int]:
    """Answers /ping and /version as MLflow's scoring server does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = {"/ping": b"\n", "/version": version.encode()}.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def found(*more: str) -> list[dict[str, str]]:
    out = io.StringIO()
    call_command("discover", "--json", "--workspace", "acme", *more, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_models_versions_and_servers_that_nobody_registered(workspace: Any, settings: Any) -> None:
    ModelVersionFactory(model__workspace=workspace, model__name="churn", number=1)
    ModelVersionFactory(model__workspace=WorkspaceFactory(), model__name="fraud", number=1)
    registry = Registry()
    registry.add("churn", {}, {}, {})
    registry.add("fraud", {}, {})
    with serving(registry), scoring_server() as known, scoring_server() as unknown:
        ports = [int(registry.url.rpartition(":")[2]), known, unknown]
        settings.OUTBOUND_ALLOW = ",".join(f"127.0.0.1/32:{port}" for port in ports)
        EndpointFactory(
            version__model__workspace=workspace, url=f"http://127.0.0.1:{known}/invocations"
        )

        listed = found("--registry", registry.url)
        unasked = found()

    assert [(it["kind"], it["name"], it["detail"]) for it in listed] == [
        ("version", "churn 2", ""),
        ("version", "churn 3", ""),
        ("model", "fraud", "2 versions"),
        ("scoring server", f"http://127.0.0.1:{unknown}", "mlflow 3.17.2"),
    ]
    assert {(it["kind"], it["name"]) for it in unasked} == {
        ("registry", registry.url),
        ("scoring server", f"http://127.0.0.1:{unknown}"),
    }


def test_a_registry_that_does_not_answer_is_said(workspace: Any, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ""
    (only,) = found("--registry", "http://127.0.0.1:9")
    assert only["kind"] == "unreadable"
    assert "no administrator has opened" in only["detail"]


def test_wide_networks_are_not_walked_through(workspace: Any, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = "10.0.0.0/8:80,10.1.2.0/30:8000-8001"
    assert sorted(discover.places(workspace)) == [
        ("10.1.2.1", 8000),
        ("10.1.2.1", 8001),
        ("10.1.2.2", 8000),
        ("10.1.2.2", 8001),
    ]


def test_the_workspace_is_named_where_there_are_several(workspace: Any) -> None:
    WorkspaceFactory(slug="zebra")
    with pytest.raises(CommandError, match="acme, zebra"):
        call_command("discover")
