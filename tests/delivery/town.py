"""A house with a gateway: real Envoy, the real agent, model servers, callers, real approvals."""

from __future__ import annotations

import http.client
import http.server
import json
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from delivery.models import Gateway, Rollout
from delivery.services import gateways, rollouts, routes
from embedded import envoy
from embedded.processes import free_port
from registry import selectors as registry
from tests.factories import accounts, governance
from tests.factories.outbound import DestinationFactory
from tests.factories.serving import EndpointFactory
from tests.processes import House, Process

POLICY = """\
rollout:
  steps: [{steps}]
  min_answers: {min_answers}
  max_time: 5min
"""


class ModelServer:
    """Answers MLflow's wire format on loopback; ``fails`` makes it answer 500."""

    def __init__(self) -> None:
        outer = self
        self.fails = False
        self.served = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                outer.served += 1
                rows = len(json.loads(raw)["dataframe_split"]["data"])
                body = json.dumps({"predictions": [0.5] * rows}).encode()
                self.send_response(500 if outer.fails else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Callers:
    """Somebody who calls the route without pause; ``seen`` counts status and version named."""

    def __init__(self, port: int, route: str, per_second: float = 60.0) -> None:
        self.port, self.path, self.pause_s = port, f"/{route}/invocations", 1 / per_second
        self.seen: Counter[tuple[int | str, str]] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        body = json.dumps({"dataframe_split": {"columns": ["x"], "data": [[1.0]]}})
        headers = {"Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self._stop.wait(self.pause_s):
            try:
                connection.request("POST", self.path, body, headers)
                answer = connection.getresponse()
                answer.read()
                self.seen[(answer.status, answer.getheader("x-served-version", ""))] += 1
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.seen[(type(error).__name__, "")] += 1
        connection.close()

    @property
    def failed(self) -> int:
        return sum(count for (status, _), count in self.seen.items() if status != 200)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(15)


@dataclass
class Town:
    """One route of one model; versions are added as a test needs them."""

    house: House
    steps: str = "25%, 50%, 100%"
    min_answers: int = 20
    servers: dict[int, ModelServer] = field(default_factory=dict)
    callers: list[Callers] = field(default_factory=list)
    listen_port: int = 0
    admin_port: int = 0

    def open(self) -> None:
        self.workspace = self.house.workspace()
        self.system = governance.system(self.workspace)
        self.signers = [self.house.person("validator"), self.house.person("risk_officer")]
        governance.policy(
            self.workspace,
            gates=("auc.lower95 >= 0.6",),
            extra=POLICY.format(steps=self.steps, min_answers=self.min_answers),
        )
        self.model = governance.model(self.workspace, name="flights")
        self.environment = registry.get_environment(self.workspace, "production")
        self.listen_port, self.admin_port = free_port(), free_port()
        self.gateway = gateways.create(
            caller=self.system, name="edge", public_url=f"http://127.0.0.1:{self.listen_port}"
        )
        self.route = routes.create(
            caller=self.system,
            name="flights",
            gateway=self.gateway,
            environment=self.environment,
            model=self.model,
        )
        operator = self.house.person("operator")
        _, self.token = accounts.token(self.workspace, user=operator, scopes=["gateway"])
        envoy.write_bootstrap(self.house.var, self.listen_port, self.admin_port)
        self.start_envoy()

    @property
    def folder(self) -> Any:
        return envoy.gateway_dir(self.house.var)

    def start_envoy(self) -> envoy.Running:
        return envoy.start(
            envoy.bootstrap_path(self.house.var), self.house.var, self.house.var / "envoy.log"
        )

    def agent(self) -> Process:
        return self.house.start(
            "agent",
            *(sys.executable, "manage.py", "gateway_agent", str(self.gateway.uid)),
            *("--control", self.house.url, "--folder", str(self.folder)),
            *("--admin-port", str(self.admin_port), "--log", str(self.house.var / "envoy.log")),
            GATEWAY_TOKEN=self.token,
        )

    def call(self, per_second: float = 60.0) -> Callers:
        made = Callers(self.listen_port, "flights", per_second)
        self.callers.append(made)
        return made

    def version(self) -> Any:
        """A new version with a server of its own and evidence that passes."""
        made = governance.version(self.model)
        server = self.servers[made.number] = ModelServer()
        DestinationFactory(workspace=self.workspace, cidr="127.0.0.1/32", port=server.port)
        EndpointFactory(version=made, url=f"http://127.0.0.1:{server.port}/invocations")
        return made

    def approve(self, version: Any) -> Rollout:
        """Two signatures; the last one starts the rollout."""
        from governance.selectors import slots
        from governance.services import signatures

        promotion = governance.promotion(self.workspace, of=version)
        for user in self.signers:
            promotion.refresh_from_db()
            caller = governance.caller(user, self.workspace)
            (role,) = [s.role for s in slots([promotion])[promotion.pk] if s.role in caller.roles]
            signatures.approve(
                caller=caller,
                promotion=promotion,
                digest=promotion.digest,
                meaning=promotion.policy_revision.body["meanings"][role][0],
                password=accounts.PASSWORD,
                reason="Read it all.",
            )
        return Rollout.objects.get(reference=promotion.reference)

    def abort(self, rollout: Rollout) -> None:
        rollouts.rollback(caller=self.system, uid=rollout.uid, reason="test")

    def wait_state(self, rollout: Rollout, *states: str, timeout_s: float = 60) -> str:
        def reached() -> str | None:
            rollout.refresh_from_db()
            return rollout.state if rollout.state in states else None

        what = f"rollout is {states}"
        try:
            return str(self.house.wait(what, reached, timeout_s=timeout_s))
        except AssertionError as error:
            steps = list(rollout.steps.values("weight", "state", "verdict", "measured"))
            gateway = Gateway.objects.values("revision", "applied_revision", "agent_seen_at").get()
            state = f"{rollout.state}: {rollout.reason}\n{steps}\n{gateway}\n{rollout.job}"
            raise AssertionError(f"{state}\n{error}") from None

    @property
    def live(self) -> int | None:
        found = registry.live_version(self.model, "production")
        return found.number if found else None

    @property
    def weights(self) -> dict[int, int]:
        targets = self.route.targets.select_related("version").filter(weight__gt=0)
        return {target.version.number: target.weight for target in targets}

    def served_versions(self, requests: int = 20) -> set[int]:
        """Which versions the gateway really serves now, by the servers' own counts."""
        before = {number: server.served for number, server in self.servers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.listen_port, timeout=10)
        body = json.dumps({"dataframe_split": {"columns": ["x"], "data": [[1.0]]}})
        for _ in range(requests):
            connection.request("POST", "/flights/invocations", body)
            connection.getresponse().read()
        connection.close()
        return {n for n, server in self.servers.items() if server.served > before[n]}

    def close(self) -> None:
        for callers in self.callers:
            callers.stop()
        envoy.stop(self.house.var)
        for server in self.servers.values():
            server.close()


def wait_until(condition: Any, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
