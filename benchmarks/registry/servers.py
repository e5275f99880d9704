"""The two registries that are measured: MLflow's own and ours, on one embedded PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import embedded
from embedded import processes

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LOCK = Path(__file__).with_name("mlflow.txt")
STARTS_WITHIN_S = 120.0


class NotUp(Exception):
    """A server that never answered; the text ends with its log."""


@dataclass(frozen=True)
class Ground:
    """A scratch folder with PostgreSQL and Redis in it."""

    var: Path
    urls: dict[str, str]

    def env(self, role: str = "app", **extra: str) -> dict[str, str]:
        """The environment of one of our processes on this ground."""
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        return {
            **kept,
            "VAR_DIR": str(self.var),
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
            "DATABASE_ROLE": role,
            **extra,
        }

    def manage(self, *argv: str, role: str = "owner") -> str:
        """One of our commands, to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, *argv],
            cwd=ROOT,
            env=self.env(role),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotUp(f"{' '.join(argv)}: {done.stderr[-2000:]}")
        return done.stdout


@contextlib.contextmanager
def ground(var: Path) -> Iterator[Ground]:
    """Services in ``var``, the tables made; stopped at the end."""
    embedded.up(var, which=["postgres", "redis"], free_ports=True)
    try:
        urls = json.loads((var / "services.json").read_text())
        here = Ground(var, {key: value for key, value in urls.items() if isinstance(value, str)})
        here.manage("manage.py", "migrate", "--no-input", "--verbosity", "0")
        yield here
    finally:
        embedded.down(var)


@contextlib.contextmanager
def ours(here: Ground, *, workers: int = 1, threads: int = 8) -> Iterator[str]:
    """Countersign under granian as in production; yields its address."""
    port = processes.free_port()
    command = [
        *(str(BIN / "granian"), "--interface", "wsgi", "--host", "127.0.0.1"),
        *("--port", str(port), "--workers", str(workers), "--blocking-threads", str(threads)),
        *("--no-ws", "config.wsgi:application"),
    ]
    env = here.env(DATABASE_POOL="1", PORT=str(port))
    with _running(command, env, here.var / "ours.log", f"http://127.0.0.1:{port}/readyz"):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def mlflow(here: Ground, *, workers: int = 1) -> Iterator[str]:
    """MLflow's own server on a database of its own in the same PostgreSQL."""
    port = processes.free_port()
    url = mlflow_database(here)
    command = [
        *(str(mlflow_environment() / "bin" / "mlflow"), "server", "--host", "127.0.0.1"),
        *("--port", str(port), "--workers", str(workers)),
        *("--backend-store-uri", url.replace("postgresql://", "postgresql+psycopg2://")),
        *("--default-artifact-root", str(here.var / "mlflow-artifacts")),
    ]
    env = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    with _running(command, env, here.var / "mlflow.log", f"http://127.0.0.1:{port}/health"):
        yield f"http://127.0.0.1:{port}"


def mlflow_database(here: Ground) -> str:
    """The address of MLflow's database, as libpq reads it; made when it is not there."""
    import psycopg

    admin = here.urls["DATABASE_ADMIN_URL"].replace("postgres://", "postgresql://")
    url = admin.rpartition("/")[0] + "/mlflow"
    with psycopg.connect(admin, autocommit=True) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'mlflow'").fetchone()
        if there is None:
            connection.execute("CREATE DATABASE mlflow")
    return url


def mlflow_environment() -> Path:
    """A virtual environment with the locked MLflow; made once, whatever VAR_DIR a run has."""
    folder = ROOT / "var" / "peers" / "mlflow"
    mark = folder / "installed.txt"
    if not mark.exists() or mark.read_bytes() != LOCK.read_bytes():
        pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(LOCK))
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "python"), *pip], check=True)
        mark.write_bytes(LOCK.read_bytes())
    return folder


@contextlib.contextmanager
def _running(command: Sequence[str], env: dict[str, str], log: Path, ready: str) -> Iterator[None]:
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        _wait(ready, server, log)
        yield
    finally:
        processes.stop(server.pid, [(signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)])
        server.wait(5)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        # An answer that is not 2xx is an HTTPError, which is an URLError.
        with contextlib.suppress(urllib.error.URLError, OSError), _opened(url):
            return
        time.sleep(0.1)
    raise NotUp(f"{url} did not answer.\n{log.read_text(errors='replace')[-2000:]}")


def _opened(url: str) -> IO[bytes]:
    answer: IO[bytes] = urllib.request.urlopen(url, timeout=5)
    return answer
