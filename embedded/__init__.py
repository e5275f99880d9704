"""PostgreSQL, Redis and Envoy from wheels, started and stopped by us; nothing else here knows how.

    import embedded

    embedded.up(var_dir, port=8000)             # PostgreSQL and Redis; safe to repeat
    embedded.up(var_dir, 8000, ["envoy"])       # the gateway too
    embedded.status(var_dir)
    embedded.down(var_dir)

Plain Python: no Django, no settings. ``manage.py embedded`` and ``python -m embedded`` are thin
doors to it.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded import envoy, postgres, processes, redis, state
from embedded.errors import EmbeddedError, PortTaken

__all__ = [
    "ALL",
    "DEFAULT",
    "EmbeddedError",
    "PortTaken",
    "Status",
    "down",
    "purge",
    "status",
    "up",
]

DEFAULT = ("postgres", "redis")
ALL = ("postgres", "redis", "envoy")

# Offsets from PORT, the web server's own port.
GATEWAY_OFFSET = 1
ENVOY_ADMIN_OFFSET = 2
POSTGRES_OFFSET = 3


@dataclass(frozen=True)
class Status:
    """One service as it is now, looked at and not remembered."""

    name: str
    is_running: bool
    pid: int | None = None
    where: str = ""


def up(
    var_dir: Path | str,
    port: int = 8000,
    which: Sequence[str] = DEFAULT,
    *,
    free_ports: bool = False,
    durable: bool = True,
) -> dict[str, Any]:
    """Start what is not running and return what ``services.json`` then says.

    A service that runs already keeps its port and its process, whatever ``port`` says now.

    Args:
        var_dir: where all state lies; made if missing.
        port: PORT, the first of the block: +1 gateway, +2 Envoy's admin port, +3 PostgreSQL.
        which: some of ``ALL``.
        free_ports: take any free ports instead of that block; the last ones again if they are free.
        durable: False leaves out PostgreSQL's fsync, for tests.

    Raises:
        PortTaken: another program listens on a port of the block.
        EmbeddedError: a service does not start; what was started before it stays up.
    """
    _insist_known(which)
    path = state.prepare(var_dir)
    with state.locked(path):
        secrets = state.ensure_secrets(path)
        if "postgres" in which:
            chosen = _port(path, "postgres", "port", port + POSTGRES_OFFSET, free=free_ports)
            server = postgres.up(path, chosen, secrets, durable=durable)
            entry = {"pid": server.pid, "port": server.port, "started": server.started}
            state.update_services(path, {"postgres": entry, **postgres.urls(server.port, secrets)})
        if "redis" in which:
            broker = redis.up(path)
            entry = {"pid": broker.pid, "socket": str(broker.socket), "started": broker.started}
            state.update_services(path, {"redis": entry, "REDIS_URL": redis.url(broker.socket)})
        if "envoy" in which:
            _envoy_up(path, port, free=free_ports)
        return state.services(path)


def down(var_dir: Path | str, which: Sequence[str] = ALL) -> list[str]:
    """Stop services and forget how to reach them; returns the names of those that were running."""
    _insist_known(which)
    path = Path(var_dir).expanduser().absolute()
    if not path.is_dir():
        return []
    stopped = []
    with state.locked(path):
        # Callers first, the database last.
        if "envoy" in which:
            if envoy.stop(path):
                stopped.append("envoy")
            _forget(path, "envoy", ["GATEWAY_URL", "ENVOY_ADMIN_URL"])
        if "redis" in which:
            if redis.down(path):
                stopped.append("redis")
            _forget(path, "redis", ["REDIS_URL"])
        if "postgres" in which:
            if postgres.down(path):
                stopped.append("postgres")
            _forget(path, "postgres", list(postgres.urls(0, state.ensure_secrets(path))))
    return stopped


def status(var_dir: Path | str, which: Sequence[str] = ALL) -> list[Status]:
    """Look at each service itself: ``services.json`` may be older than a crash."""
    _insist_known(which)
    path = Path(var_dir).expanduser().absolute()
    found = []
    for name in which:
        if name == "postgres":
            server = postgres.find(path)
            where = f"{processes.LOOPBACK}:{server.port}" if server else ""
            found.append(Status(name, server is not None, server.pid if server else None, where))
        elif name == "redis":
            broker = redis.find(path)
            where = str(broker.socket) if broker else ""
            found.append(Status(name, broker is not None, broker.pid if broker else None, where))
        else:
            proxy = envoy.status(path)
            where = (
                f"{processes.LOOPBACK}:{proxy.listen_port}, admin {proxy.admin_port}"
                if proxy
                else ""
            )
            found.append(Status(name, proxy is not None, proxy.pid if proxy else None, where))
    return found


def purge(var_dir: Path | str) -> None:
    """Stop everything and remove VAR_DIR whole, with what had to be put elsewhere. No way back."""
    path = Path(var_dir).expanduser().absolute()
    if not path.is_dir():
        return
    if not (path / ".embedded.lock").exists():
        raise EmbeddedError(f"{path} was not made by us; it is not removed.")
    down(path)
    postgres.purge(path)
    shutil.rmtree(path)


def _envoy_up(path: Path, port: int, *, free: bool) -> None:
    running = envoy.status(path)
    if running is None:
        listen = _port(path, "envoy", "listen_port", port + GATEWAY_OFFSET, free=free)
        admin = _port(path, "envoy", "admin_port", port + ENVOY_ADMIN_OFFSET, free=free)
        envoy.write_bootstrap(path, listen, admin)
        running = envoy.start(envoy.bootstrap_path(path), path, path / "logs" / "envoy.log")
    entry = {
        "pid": running.pid,
        "listen_port": running.listen_port,
        "admin_port": running.admin_port,
        "started": running.started,
    }
    state.update_services(
        path,
        {
            "envoy": entry,
            "GATEWAY_URL": f"http://{processes.LOOPBACK}:{running.listen_port}",
            "ENVOY_ADMIN_URL": f"http://{processes.LOOPBACK}:{running.admin_port}",
        },
    )


def _port(path: Path, service: str, key: str, fixed: int, *, free: bool) -> int:
    if not free:
        return fixed
    recorded = (state.services(path).get(service) or {}).get(key)
    if isinstance(recorded, int) and processes.is_port_free(recorded):
        return recorded
    return processes.free_port()


def _forget(path: Path, service: str, keys: list[str]) -> None:
    """Drop the addresses, keep the ports: a URL to a stopped server is worse than none."""
    entry = state.services(path).get(service)
    kept = {
        key: value
        for key, value in (entry or {}).items()
        if key not in ("pid", "started", "socket")
    }
    state.update_services(path, {service: kept or None, **dict.fromkeys(keys)})


def _insist_known(which: Sequence[str]) -> None:
    if unknown := sorted(set(which) - set(ALL)):
        raise EmbeddedError(f"Unknown service {', '.join(unknown)}; there are {', '.join(ALL)}.")
