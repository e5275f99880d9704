"""The one client and the traffic client against real sockets: SSRF, TLS, deadlines, caps.

Each attack is tried on both: ``call`` runs the same request through either.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from outbound import client, traffic
from outbound.errors import AddressRefused, DeadlineExceeded, ResponseTooLarge, Unreachable
from outbound.responses import Response
from outbound.services.destinations import check_url, policy_for
from outbound.traffic import TrafficClient
from tests.outbound.conftest import drip, respond

pytestmark = pytest.mark.django_db

Call = Callable[..., Response]


@pytest.fixture(params=["client", "traffic"])
def call(request: Any, workspace: Any) -> Call:
    def control(url: str, **options: Any) -> Response:
        return client.request(
            "POST", url, workspace=workspace, content=b"{}", purpose="test", **options
        )

    def stream(url: str, **options: Any) -> Response:
        policy = policy_for(workspace)

        async def once() -> Response:
            async with TrafficClient(policy) as session:
                values = {"headers": {}, "deadline_s": 10.0, **options}
                return await session.post(url, body=b"{}", **values)

        return uvloop.run(once())  # as serving.traffic does

    return control if request.param == "client" else stream


def test_an_opened_server_answers(call, serve, opened):
    server = serve(respond("201 Created", b'{"ok":1}', "X-Thing: seen"))
    opened(server)

    answer = call(server.url("/v1?a=b"), headers={"X-Key": "s3cret"})

    assert (answer.status, answer.content) == (201, b'{"ok":1}')
    assert answer.headers["x-thing"] == "seen"
    assert answer.elapsed_ms > 0
    (request,) = server.requests
    assert request.startswith(b"POST /v1?a=b HTTP/1.1\r\n")
    assert f"host: 127.0.0.1:{server.port}" in request.decode().lower()
    assert b"s3cret" in request
    assert request.endswith(b"\r\n\r\n{}")


def test_a_closed_server_is_not_even_connected_to(call, serve, opened):
    server = serve(respond())
    with pytest.raises(AddressRefused, match="no administrator has opened"):
        call(server.url())
    assert server.requests == []


DNS = [
    ["127.0.0.1"],
    ["10.0.0.1"],
    ["172.16.5.4"],
    ["192.168.0.1"],
    ["169.254.169.254"],
    ["100.100.100.200"],
    ["100.64.0.1"],
    ["0.0.0.0"],
    ["::1"],
    ["::ffff:127.0.0.1"],
    ["64:ff9b::a9fe:a9fe"],
    ["2002:7f00:1::"],
    ["fd00:ec2::254"],
    ["fe80::1%eth0"],
    ["8.8.8.8", "127.0.0.1"],
    ["2606:4700::1111", "169.254.169.254"],
]


@pytest.mark.parametrize("answers", DNS, ids=",".join)
def test_a_name_with_a_closed_address_among_its_answers_is_refused(call, names, answers):
    names["model.example"] = answers
    with pytest.raises(AddressRefused):
        call("http://model.example:8080/invocations")


SPELLINGS = [
    "http://127.0.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://１２７.０.０.１:{port}/",
    "http://127.0.0.1.:{port}/",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_loopback_gets_there(call, serve, names, settings, spelling):
    settings.OUTBOUND_ALLOW = ""
    server = serve(respond())
    with pytest.raises(AddressRefused):
        call(spelling.format(port=server.port))
    assert server.requests == []


def test_a_redirect_is_an_answer_not_a_way_in(call, serve, opened):
    inner = serve(respond(body=b"secret"))
    outer = serve(respond("302 Found", b"", f"Location: {inner.url()}"))
    opened(outer)

    answer = call(outer.url())

    assert answer.status == 302
    assert answer.headers["location"] == inner.url()
    assert inner.requests == []


def test_a_rebinding_name_beats_validate_then_get_and_not_us(
    call, serve, names, workspace, monkeypatch, settings
):
    """The name answers with a public address when it is checked and with loopback when dialled."""
    settings.OUTBOUND_ALLOW = ""
    server = serve(respond(body=b"inner secret"))
    turns = iter(range(1000))
    names["rebind.example"] = lambda: ["93.184.216.34"] if next(turns) == 0 else ["127.0.0.1"]
    url = f"http://rebind.example:{server.port}/"

    # What most code does: look at the address, then let the library resolve the name once more.
    import socket

    from outbound import resolve

    def everyday_resolver(host: str, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        found = resolve.lookup(host, port)[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, int(port)))]

    check_url(url, workspace)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", everyday_resolver)
        with urllib.request.urlopen(url, timeout=5) as naive:
            assert naive.read() == b"inner secret"
    assert len(server.requests) == 1

    # Ours: the same check passes, and the call is refused at the moment of dialling.
    turns = iter(range(1000))
    names["rebind.example"] = lambda: ["93.184.216.34"] if next(turns) == 0 else ["127.0.0.1"]
    check_url(url, workspace)
    with pytest.raises(AddressRefused):
        call(url)
    assert len(server.requests) == 1


def test_a_name_bound_opening_is_for_that_name(call, serve, names, workspace, caller_for, settings):
    from outbound.services import destinations

    settings.OUTBOUND_ALLOW = ""
    server = serve(respond())
    names["model.example"] = names["other.example"] = ["127.0.0.1"]
    destinations.allow(
        cidr="127.0.0.1/32",
        port=server.port,
        host="model.example",
        reason="the demo's server",
        caller=caller_for("administrator"),
    )
    assert call(f"http://model.example:{server.port}/").status == 200
    with pytest.raises(AddressRefused):
        call(f"http://other.example:{server.port}/")
    with pytest.raises(AddressRefused):
        call(f"http://127.0.0.1:{server.port}/")
    assert len(server.requests) == 1


def trust(monkeypatch: pytest.MonkeyPatch, context: Any) -> None:
    monkeypatch.setattr(client, "tls_context", lambda: context)
    monkeypatch.setattr(traffic, "tls_context", lambda: context)


def test_tls_keeps_the_name_though_a_literal_is_dialled(
    call, serve, names, opened, certificate, monkeypatch
):
    server_side, client_side = certificate("model.example")
    trust(monkeypatch, client_side)
    asked: list[Any] = []
    server_side.sni_callback = lambda sock, name, context: asked.append(name)
    server = serve(respond(), tls=server_side)
    opened(server)
    names["model.example"] = ["127.0.0.1"]

    assert call(server.url(host="model.example", scheme="https")).status == 200
    assert asked == ["model.example"]


@pytest.mark.parametrize("case", ["wrong name", "unknown authority", "no TLS at all"])
def test_tls_that_does_not_verify_sends_nothing(
    call, serve, names, opened, certificate, monkeypatch, case
):
    server_side, client_side = certificate("model.example")
    if case != "unknown authority":
        trust(monkeypatch, client_side)
    server = serve(respond(), tls=None if case == "no TLS at all" else server_side)
    opened(server)
    host = "other.example" if case == "wrong name" else "model.example"
    names[host] = ["127.0.0.1"]

    with pytest.raises(Unreachable) as caught:
        call(server.url(host=host, scheme="https"), headers={"X-Key": "s3cret"})

    if case != "no TLS at all":
        assert "certificate" in caught.value.message
    assert not any(b"s3cret" in request for request in server.requests)


def test_proxy_variables_are_ignored(call, serve, opened, monkeypatch):
    proxy = serve(respond(body=b"from the proxy"))
    server = serve(respond(body=b"from the server"))
    opened(server)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url())
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert call(server.url()).content == b"from the server"
    assert proxy.requests == []


def test_a_drip_does_not_outlive_the_deadline(call, serve, opened):
    server = serve(drip)
    opened(server)
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        call(server.url(), deadline_s=0.6)
    assert 0.5 < time.monotonic() - started < 1.5


def test_a_server_that_says_nothing_is_given_up_in_time(call, serve, opened):
    server = serve(lambda connection, request: time.sleep(5))
    opened(server)
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        call(server.url(), deadline_s=0.4)
    assert time.monotonic() - started < 1.2


def test_a_resolver_that_says_nothing_is_given_up_in_time(call, names):
    names["slow.example"] = lambda: time.sleep(2) or ["8.8.8.8"]
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        call("http://slow.example/", deadline_s=0.4)
    assert time.monotonic() - started < 2.6  # asyncio waits for its thread at the loop's end


def test_an_answer_over_its_cap_is_cut(call, serve, opened):
    server = serve(respond(body=b"x" * (3 * 1024 * 1024)))
    opened(server)
    with pytest.raises(ResponseTooLarge):
        call(server.url(), max_bytes=1_000_000)
    assert len(call(server.url(), max_bytes=4_000_000).content) == 3 * 1024 * 1024


def test_an_endless_answer_without_a_length_is_cut(call, serve, opened):
    def endless(connection: Any, request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"y" * 65_536)

    server = serve(endless)
    opened(server)
    with pytest.raises(ResponseTooLarge):
        call(server.url(), max_bytes=1_000_000)


def test_nothing_is_decompressed(call, serve, opened):
    bomb = gzip.compress(b"\0" * 50_000_000)
    server = serve(respond("200 OK", bomb, "Content-Encoding: gzip"))
    opened(server)
    assert call(server.url()).content == bomb
    assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize(
    "raw", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"]
)
def test_what_is_not_http_is_unreachable_and_not_quoted(call, serve, opened, raw):
    server = serve(lambda connection, request: connection.sendall(raw))
    opened(server)
    with pytest.raises(Unreachable) as caught:
        call(server.url())
    assert "SSH" not in caught.value.message
    assert "half" not in caught.value.message


def test_a_port_where_nobody_listens(call, serve, opened):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    from tests.outbound.conftest import Server

    opened(Server(port))
    with pytest.raises(Unreachable, match="refused or broke"):
        call(f"http://127.0.0.1:{port}/")


def test_an_unknown_name(call, names):
    with pytest.raises(Unreachable, match="cannot be resolved"):
        call("http://nowhere.example/")


def test_headers_that_are_no_headers_are_not_sent(call, serve, opened):
    server = serve(respond())
    opened(server)
    with pytest.raises((ValueError, Unreachable)):
        call(server.url(), headers={"X-Key": "a\r\nX-Other: b"})
    assert not any(b"x-other" in request.lower() for request in server.requests)


def test_the_second_address_is_tried_when_the_first_refuses(serve, names, workspace, settings):
    server = serve(respond())
    settings.OUTBOUND_ALLOW = f"127.0.0.0/8:{server.port}"
    names["two.example"] = ["127.0.0.2", "127.0.0.1"]
    answer = client.request(
        "GET", f"http://two.example:{server.port}/", workspace=workspace, purpose="test"
    )
    assert answer.status == 200


@pytest.mark.serial
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_still_resolves(names, workspace):
    """Celery forks: the parent's resolver threads are not in the child."""
    import os

    from outbound import resolve

    names["model.example"] = ["8.8.8.8"]
    assert resolve.answers("model.example", 80, timeout_s=2)
    pid = os.fork()
    if pid == 0:
        try:
            resolve.answers("model.example", 80, timeout_s=2)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_unix_sockets_are_not_called(workspace):
    backend = client.PinnedBackend(policy_for(workspace), time.monotonic() + 1)
    with pytest.raises(AddressRefused):
        backend.connect_unix_socket("/var/run/docker.sock")


def test_traffic_reuses_its_connections_and_bounds_them(serve, opened, workspace):
    import threading

    together, most = 0, 0
    lock = threading.Lock()

    def answer(connection: Any, request: bytes) -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.05)
        with lock:
            together -= 1
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    server = serve(answer)
    opened(server)
    policy = policy_for(workspace)

    async def many() -> list[Response]:
        async with TrafficClient(policy, connections=3) as session:
            calls = [
                session.post(server.url(), headers={}, body=json.dumps([n]).encode(), deadline_s=10)
                for n in range(12)
            ]
            return await asyncio.gather(*calls)

    assert [answer.status for answer in uvloop.run(many())] == [200] * 12
    assert 1 < most <= 3


def test_the_clients_are_the_only_ones_that_speak_http():
    """``requests``, ``urllib.request``, raw ``httpx`` and ``aiohttp`` stay out of the apps."""
    import ast
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    apps = "accounts audit common evaluation governance jobs monitoring outbound registry serving"
    allowed = {root / "outbound" / name for name in ("client.py", "traffic.py", "resolve.py")}
    banned = {
        "requests",
        "httpx",
        "aiohttp",
        "urllib.request",
        "http.client",
        "urllib3",
        "httpcore",
    }
    found = []
    for app in apps.split():
        for path in (root / app).rglob("*.py"):
            if path in allowed:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                found += [f"{path}: {name}" for name in names if name in banned]
    assert found == []
