"""Inspects a stored file in a process of its own that can be killed and may crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from registry.artifacts.inspection.limits import ANSWER_BYTES

BEAT_SECONDS = 5.0
_ROOT = Path(__file__).resolve().parents[3]
COMMAND = (sys.executable, "-m", "registry.artifacts.inspection")
_MAX_TEXT, _MAX_ITEMS, _MAX_DEPTH = 500, 5000, 8


class InspectionFailed(Exception):
    """Nothing could be read; ``code`` is stable, the message says why."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def inspect(
    file: IO[bytes],
    *,
    format: str,
    size: int,
    timeout_s: float,
    heartbeat: Callable[[], object] | None = None,
    command: Sequence[str] | None = None,
) -> dict[str, Any]:
    """What the file says of itself; ``file`` is a real one, whose descriptor the process gets.

    ``heartbeat`` is called every ``BEAT_SECONDS``; what it raises ends the process.

    Raises: InspectionFailed; also when the process took too long, crashed or said nonsense.
    """
    # Nothing of our settings: the process needs no secret and gets none.
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(_ROOT),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
    }
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    with (
        tempfile.TemporaryDirectory(prefix="cs-inspect-") as folder,
        tempfile.TemporaryFile() as answered,
        subprocess.Popen(  # noqa: S603  # our own program, or a test's
            [*(command or COMMAND), format, str(size)],
            stdin=file,
            stdout=answered,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment,
            start_new_session=True,
        ) as process,
    ):
        try:
            code = _wait(process, timeout_s, heartbeat)
        finally:
            process.kill()
        answered.seek(0)
        raw = answered.read(ANSWER_BYTES + 1)
    return _answer(code, raw)


def _answer(code: int, raw: bytes) -> dict[str, Any]:
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        said = {
            "SIGKILL": "It was ended: it took too much memory or time.",
            "SIGXCPU": "It took too much computing time.",
        }.get(name, f"It crashed its reader ({name}).")
        raise InspectionFailed(said, code="crashed")
    if code != 0:
        raise InspectionFailed("Its reader stumbled over it.", code="crashed")
    try:
        answer = json.loads(raw)
    except ValueError:
        raise InspectionFailed("Its reader gave no answer.", code="crashed") from None
    if "error" in answer:
        raise InspectionFailed(str(answer["error"])[:500], code=str(answer["code"])[:64])
    found: dict[str, Any] = _clean(answer["found"], 0)
    found["confined"] = {
        "without_network": bool(answer["without_network"]),
        "without_root": bool(answer["without_root"]),
    }
    return found


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
    raise InspectionFailed(f"Reading it took longer than {timeout_s:.0f} s.", code="too_slow")


def _clean(value: Any, depth: int) -> Any:
    """As PostgreSQL and a page can take it: no NUL, nothing invisible, nothing endless."""
    if isinstance(value, str):
        text = "".join(char if char.isprintable() else "�" for char in value[: _MAX_TEXT + 1])
        return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**63:
        return str(value)[:40]
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {
            _clean(str(key), depth): _clean(it, depth + 1)
            for key, it in list(value.items())[:_MAX_ITEMS]
        }
    if isinstance(value, list):
        return [_clean(it, depth + 1) for it in value[:_MAX_ITEMS]]
    return value
