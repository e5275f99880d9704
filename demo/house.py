"""Brings up the whole house on loopback: services, web, workers, gateway, and the model servers."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import embedded
from demo import models
from demo.processes import Process, Supervisor
from embedded import envoy, processes

GATEWAY_NAME = "edge-1"
SERVERS = [recipe.key for recipe in models.RECIPES]


@dataclass
class House:
    """One run: where it keeps its state, its ports, its processes."""

    var_dir: Path
    port: int
    supervisor: Supervisor
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    model_dirs: dict[str, Path] = field(default_factory=dict)
    servers: dict[str, Process] = field(default_factory=dict)

    @classmethod
    def at(cls, var_dir: Path, port: int) -> House:
        var_dir = var_dir.absolute()
        env = {
            "VAR_DIR": str(var_dir),
            "PORT": str(port),
            "BASE_URL": f"http://127.0.0.1:{port}",
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
            "OUTBOUND_ALLOW": f"127.0.0.1/32:{port + 10}-{port + 9 + len(SERVERS)}",
            # Said aloud: whoever starts the demo may have another role in their environment.
            "DATABASE_ROLE": "app",
            "PYTHONUNBUFFERED": "1",
            # Model servers and workers share two cores: one thread each is quicker for all.
            "OMP_NUM_THREADS": "1",
        }
        return cls(var_dir, port, Supervisor(var_dir, env))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    def server_url(self, key: str) -> str:
        """Where the model server of one recipe answers."""
        return f"http://127.0.0.1:{self.port + 10 + SERVERS.index(key)}/invocations"

    def up(self) -> None:
        """Everything but the story.

        Raises: EmbeddedError, DidNotStart: with what to do about it.
        """
        self.var_dir.mkdir(parents=True, exist_ok=True)
        processes.insist_port_free("the web server", self.port)
        for index, key in enumerate(SERVERS):
            processes.insist_port_free(f"the model server {key}", self.port + 10 + index)
        # A process of its own: MLflow and scikit-learn are not for the supervisor to carry.
        folder = self.var_dir / "models"
        self.supervisor.run("python", "-m", "demo.models", str(folder))
        self.model_dirs = {key: folder / key for key in SERVERS}
        for key in SERVERS:
            self.servers[key] = self._start_server(key)
        embedded.up(self.var_dir, self.port)
        run = self.supervisor.run
        run("python", "manage.py", "migrate", "--no-input", DATABASE_ROLE="owner")
        run("python", "manage.py", "collectstatic", "--no-input", "--verbosity", "0")
        made = json.loads(run("python", "-m", "demo.bootstrap"))
        self.people = {person["email"].split("@")[0]: person for person in made["people"]}
        self.tokens = made["tokens"]
        self._start_web()
        self._start_workers()
        bootstrap = envoy.write_bootstrap(self.var_dir, self.port + 1, self.port + 2)
        envoy.start(bootstrap, self.var_dir, self._envoy_log)
        for key, server in self.servers.items():
            url = self.server_url(key).replace("/invocations", "/ping")
            self.supervisor.wait_http(server, url)

    def start_agent(self, gateway_uid: str) -> None:
        """The gateway agent, once the gateway is registered and has an id."""
        self.supervisor.start(
            "gateway-agent",
            "python",
            "manage.py",
            "gateway_agent",
            gateway_uid,
            "--control",
            self.base_url,
            "--folder",
            str(envoy.gateway_dir(self.var_dir)),
            "--admin-port",
            str(self.port + 2),
            "--log",
            str(self._envoy_log),
            GATEWAY_TOKEN=self.tokens["gateway"],
        )

    def write_demo_json(self) -> None:
        """``demo.json`` (mode 0600), so that scripts can play too (DESIGN 6)."""
        body = {
            "base_url": self.base_url,
            "gateway_url": self.gateway_url,
            "people": list(self.people.values()),
            "tokens": self.tokens,
        }
        path = self.var_dir / "demo.json"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(body, file, indent=1)
        path.chmod(0o600)

    def down(self) -> None:
        self.supervisor.stop()
        envoy.stop(self.var_dir)
        embedded.down(self.var_dir)

    @property
    def _envoy_log(self) -> Path:
        return self.var_dir / "log" / "envoy.log"

    def _start_server(self, key: str) -> Process:
        port = self.port + 10 + SERVERS.index(key)
        return self.supervisor.start(
            f"model-{key}",
            "uvicorn",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--log-level",
            "warning",
            "mlflow.pyfunc.scoring_server.app:app",
            __pyfunc_model_path__=str(self.model_dirs[key]),
        )

    def _start_web(self) -> None:
        web = self.supervisor.start(
            "web",
            "granian",
            "--interface",
            "wsgi",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--workers",
            "1",
            "--blocking-threads",
            "8",
            "--no-ws",
            "config.wsgi:application",
            DATABASE_POOL="1",
        )
        self.supervisor.wait_http(web, f"{self.base_url}/readyz")

    def _start_workers(self) -> None:
        celery = ("celery", "-A", "config.celery")
        quiet = ("--loglevel", "INFO")
        start = self.supervisor.start
        start(
            "worker", *celery, "worker", "-Q", "default,traffic", "-c", "3", "-n", "main@h", *quiet
        )
        start(
            "worker-reports", *celery, "worker", "-Q", "reports", "-c", "1", "-n", "rep@h", *quiet
        )
        start("beat", *celery, "beat", *quiet)
        start("sealer", "python", "manage.py", "sealer", DATABASE_ROLE="sealer")
