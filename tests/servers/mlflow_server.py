"""A whole MLflow server, in the environment and from the lock that the benchmarks use too.

Our lock file has MLflow's client only: the server brings a hundred packages that we do not use.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.registry.servers import mlflow_environment
from embedded import processes


@contextlib.contextmanager
def running(folder: Path, *, artifacts: bool = True) -> Iterator[str]:
    """The URL of a server of its own on SQLite, gone afterwards."""
    port = processes.free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(str(mlflow_environment() / "bin" / "mlflow"), "server", "--workers", "1"),
                *("--host", "127.0.0.1", "--port", str(port)),
                *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
                *(("--artifacts-destination", str(folder / "artifacts")) if artifacts else ()),
            ],
            cwd=folder,
            env={
                **os.environ,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(server, url, folder / "mlflow.log")
            yield url
        finally:
            # Its group: uvicorn's workers would outlive their parent.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, 15)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, 9)
                server.wait(10)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"mlflow did not come up:\n{log.read_text(errors='replace')[-3000:]}")
