"""The gateway: weights move under traffic, bad files are refused, a killed one comes back."""

import http.client
import http.server
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import embedded
from embedded import envoy, processes

pytestmark = pytest.mark.serial

TYPE = "type.googleapis.com/envoy.config"


class _Named(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = b"?"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.name)))
        self.end_headers()
        self.wfile.write(self.name)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def upstreams() -> Iterator[dict[str, int]]:
    servers = {}
    for name in ("blue", "green"):
        handler = type(name, (_Named,), {"name": name.encode()})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers[name] = server
    yield {name: server.server_port for name, server in servers.items()}
    for server in servers.values():
        server.shutdown()
        server.server_close()


def write_clusters(var_dir: Path, admin_port: int, upstreams: dict[str, int]) -> None:
    """Write the clusters and wait until Envoy has them.

    Each file has a watch of its own, and Envoy may look at the routes first: routes that name a
    cluster it has not read yet are refused, and nobody tells it to look again.
    """
    resources = [
        {
            "@type": f"{TYPE}.cluster.v3.Cluster",
            "name": name,
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}],
            },
        }
        for name, port in upstreams.items()
    ]
    content = {"version_info": "1", "resources": resources}
    envoy.replace_yaml(envoy.gateway_dir(var_dir) / "cds.yaml", content)
    wait_for(lambda: any('"1"' in line for line in stat_lines(admin_port, "cds.version_text")))


def write_weights(var_dir: Path, version: str, **weights: int) -> None:
    clusters = [{"name": name, "weight": weight} for name, weight in weights.items()]
    route = {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}
    config = {
        "@type": f"{TYPE}.route.v3.RouteConfiguration",
        "name": envoy.ROUTE_CONFIG,
        "validate_clusters": True,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
    }
    content = {"version_info": version, "resources": [config]}
    envoy.replace_yaml(envoy.gateway_dir(var_dir) / "rds.yaml", content)


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def get(port: int, path: str = "/") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def wait_for(what: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def stat_lines(admin_port: int, ending: str) -> list[str]:
    text = get(admin_port, "/stats")[1].decode()
    return [line for line in text.splitlines() if line.split(":")[0].endswith(ending)]


def test_weights_move_under_traffic_and_a_bad_file_is_refused(var_dir, upstreams):
    services = embedded.up(var_dir, which=["envoy"], free_ports=True)
    port, admin = services["envoy"]["listen_port"], services["envoy"]["admin_port"]
    assert get(port)[0] == 404  # empty but valid: nothing approved, nothing served
    write_clusters(var_dir, admin, upstreams)
    write_weights(var_dir, "1", blue=100, green=0)
    wait_for(lambda: get(port) == (200, b"blue"))
    answers: list[tuple[int, bytes]] = []
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            answers.append(get(port))

    caller = threading.Thread(target=call)
    caller.start()
    for step in range(1, 11):
        write_weights(var_dir, str(step + 1), blue=100 - 10 * step, green=10 * step)
        time.sleep(0.1)
    wait_for(lambda: get(port) == (200, b"green"))
    write_weights(var_dir, "bad", blue=1, nosuch=99)
    wait_for(lambda: "rds.countersign.update_rejected: 1" in stat_lines(admin, "rejected")[-1])
    stop.set()
    caller.join()

    assert Counter(status for status, _ in answers).keys() == {200}  # no request was lost
    assert {body for _, body in answers} == {b"blue", b"green"}
    assert get(port) == (200, b"green")
    assert any('"11"' in line for line in stat_lines(admin, "countersign.version_text"))


def test_a_killed_gateway_serves_the_last_routes_again_with_nothing_else_running(
    var_dir, upstreams
):
    services = embedded.up(var_dir, which=["envoy"], free_ports=True)
    write_clusters(var_dir, services["envoy"]["admin_port"], upstreams)
    write_weights(var_dir, "1", green=1)
    wait_for(lambda: get(services["envoy"]["listen_port"]) == (200, b"green"))
    pid = services["envoy"]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not processes.is_alive(pid))
    assert embedded.status(var_dir, ["envoy"])[0].is_running is False

    again = embedded.up(var_dir, which=["envoy"], free_ports=True)

    assert again["envoy"]["pid"] != pid
    assert again["envoy"]["listen_port"] == services["envoy"]["listen_port"]
    assert get(again["envoy"]["listen_port"]) == (200, b"green")
    assert embedded.up(var_dir, which=["envoy"], free_ports=True) == again
    assert embedded.down(var_dir) == ["envoy"]
    assert "GATEWAY_URL" not in embedded.state.services(var_dir)


def test_a_broken_bootstrap_is_explained_with_envoys_own_words(var_dir):
    var_dir = embedded.state.prepare(var_dir)
    (var_dir / ".embedded.lock").touch()
    base = processes.free_base(3)
    path = envoy.write_bootstrap(var_dir, base + 1, base + 2)
    path.write_text(path.read_text().replace("stat_prefix", "no_such_field"))

    with pytest.raises(embedded.EmbeddedError, match="no_such_field"):
        envoy.start(path, var_dir, var_dir / "logs" / "envoy.log")

    assert envoy.status(var_dir) is None
