"""Profiles a file in a process of its own that can be killed and may crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Address space, not what is resident: Arrow reserves more than it touches.
MEMORY_BYTES = 6 * 1024**3
BEAT_SECONDS = 5.0
_ROOT = Path(__file__).resolve().parents[2]


class ProfilingFailed(Exception):
    """The file is no table that we take. ``field`` is the input at fault, ``code`` is stable."""

    def __init__(self, message: str, *, code: str, field: str = "file") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field


def profile(
    path: Path,
    *,
    parquet_path: Path,
    roles: dict[str, str],
    timeout_s: float,
    heartbeat: Callable[[], object] | None = None,
) -> dict[str, Any]:
    """``{"format", "rows", "columns"}``; a CSV is also written to ``parquet_path``.

    ``heartbeat`` is called every ``BEAT_SECONDS`` while the reader works; what it raises ends it.

    Raises: ProfilingFailed; also when the process took longer than ``timeout_s`` or died.
    """
    request = {
        "path": str(path),
        "parquet_path": str(parquet_path),
        "roles": roles,
        "memory_bytes": MEMORY_BYTES,
    }
    # Nothing of our settings: the process needs no secret and gets none.
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(_ROOT),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
    }
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answered:
        asked.write(json.dumps(request).encode())
        asked.seek(0)
        with subprocess.Popen(
            [sys.executable, "-m", "registry.profiling"],
            stdin=asked,
            stdout=answered,
            stderr=subprocess.DEVNULL,
            cwd=path.parent,
            env=environment,
        ) as process:
            try:
                code = _wait(process, timeout_s, heartbeat)
            finally:
                process.kill()
        answered.seek(0)
        raw = answered.read()
    if code != 0:
        raise ProfilingFailed(
            "The file could not be read: the reader gave up on it.", code="unreadable"
        )
    answer: dict[str, Any] = json.loads(raw)
    if "error" in answer:
        raise ProfilingFailed(answer["error"], code=answer["code"], field=answer["field"])
    return answer


def _wait(
    process: subprocess.Popen[bytes], timeout_s: float, heartbeat: Callable[[], object] | None
) -> int:
    until = time.monotonic() + timeout_s
    while (left := until - time.monotonic()) > 0:
        try:
            return process.wait(min(BEAT_SECONDS, left))
        except subprocess.TimeoutExpired:
            if heartbeat is not None:
                heartbeat()
    raise ProfilingFailed(f"Reading the table took longer than {timeout_s:.0f} s.", code="too_slow")
