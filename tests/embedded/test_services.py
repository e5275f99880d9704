"""PostgreSQL and Redis from wheels: really started, really killed."""

import importlib.util
import os
import signal
import socket
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import psycopg
import pytest
import redis
from django.core.management import CommandError, call_command

import embedded
from embedded import postgres_home, processes, state
from embedded import redis as redis_service

pytestmark = pytest.mark.serial

ROOT = Path(__file__).resolve().parents[2]


def up(var_dir: Path, *which: str) -> dict:
    return embedded.up(var_dir, which=which or embedded.DEFAULT, free_ports=True, durable=False)


def kill(pid: int) -> None:
    started = processes.started_at(pid)
    os.kill(pid, signal.SIGKILL)
    while processes.is_alive(pid, started):
        pass


def copy_wheels(target: Path) -> None:
    """The two servers' wheels, found without importing them, copied to ``target``."""
    for name in (postgres_home.WHEEL, redis_service.WHEEL):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        package = Path(next(iter(spec.submodule_search_locations or [])))
        for path in package.parent.glob(f"{name}*"):
            subprocess.run(["cp", "-R", path, target], check=True)


def scalar(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


def test_up_twice_keeps_the_processes_and_down_ends_them(var_dir):
    first = up(var_dir)
    second = up(var_dir)

    assert second == first
    assert {service.name for service in embedded.status(var_dir) if service.is_running} == {
        "postgres",
        "redis",
    }

    assert embedded.down(var_dir) == ["redis", "postgres"]

    assert not processes.is_alive(first["postgres"]["pid"])
    assert not processes.is_alive(first["redis"]["pid"])
    assert not [service for service in embedded.status(var_dir) if service.is_running]
    assert embedded.down(var_dir) == []


def test_data_passwords_and_secrets_outlive_a_restart(var_dir):
    first = up(var_dir)
    with psycopg.connect(first["DATABASE_OWNER_URL"]) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (42)")
    broker = redis.Redis.from_url(first["REDIS_URL"])
    broker.set("kept", "42")
    broker.close()
    secrets = state.read(var_dir / "secrets.json")
    embedded.down(var_dir)

    second = up(var_dir)

    assert second["DATABASE_OWNER_URL"] == first["DATABASE_OWNER_URL"]
    assert scalar(second["DATABASE_OWNER_URL"], "SELECT n FROM kept") == 42
    with redis.Redis.from_url(second["REDIS_URL"]) as broker:
        assert broker.get("kept") == b"42"
    assert state.read(var_dir / "secrets.json") == secrets


def test_after_kill_9_up_recovers_with_what_was_committed(var_dir):
    first = up(var_dir)
    with psycopg.connect(first["DATABASE_OWNER_URL"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    idle = psycopg.connect(first["DATABASE_URL"])  # its server process is orphaned by the kill
    kill(first["postgres"]["pid"])
    kill(first["redis"]["pid"])

    second = up(var_dir)

    assert second["postgres"]["pid"] != first["postgres"]["pid"]
    assert second["redis"]["pid"] != first["redis"]["pid"]
    assert scalar(second["DATABASE_OWNER_URL"], "SELECT n FROM kept") == 42
    idle.close()


def test_services_are_found_again_when_their_file_is_lost(var_dir):
    first = up(var_dir)
    (var_dir / "services.json").unlink()

    second = up(var_dir)

    assert second["postgres"]["pid"] == first["postgres"]["pid"]
    assert second["redis"]["pid"] == first["redis"]["pid"]


def test_a_recorded_pid_that_belongs_to_somebody_else_is_never_taken_for_ours(var_dir):
    up(var_dir)
    embedded.down(var_dir)
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        data = (var_dir / "postgres").resolve() / "data"
        (data / "postmaster.pid").write_text(f"{bystander.pid}\n{data}\n0\n5432\n\n127.0.0.1\n")
        (var_dir / "redis" / "redis.pid").write_text(str(bystander.pid))

        assert not [service for service in embedded.status(var_dir) if service.is_running]
        assert embedded.down(var_dir) == []
        services = up(var_dir)

        assert services["postgres"]["pid"] != bystander.pid
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_taken_port_is_named_with_its_process_and_nothing_starts(var_dir):
    base = processes.free_base()
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", base + 3))
        occupied.listen()

        with pytest.raises(embedded.PortTaken, match=f"{base + 3} .*process {os.getpid()}"):
            embedded.up(var_dir, base)

    assert not embedded.status(var_dir, ["postgres"])[0].is_running


def test_the_block_of_ports_follows_port(var_dir):
    base = processes.free_base()

    services = embedded.up(var_dir, base, ["postgres"], durable=False)

    assert services["postgres"]["port"] == base + 3


def test_what_holds_secrets_is_closed_to_others(var_dir):
    up(var_dir)

    for name in ("services.json", "secrets.json", "redis/redis.conf"):
        assert stat.S_IMODE((var_dir / name).stat().st_mode) == 0o600, name
    for name in ("redis", "logs"):
        assert stat.S_IMODE((var_dir / name).stat().st_mode) == 0o700, name
    data = (var_dir / "postgres").resolve() / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert not stat.S_IMODE(var_dir.stat().st_mode) & 0o066  # others may pass, not look
    assert not list((var_dir / "postgres").glob("*.password"))


def test_the_roles_may_do_what_they_are_for_and_no_more(var_dir):
    services = up(var_dir, "postgres")
    with psycopg.connect(services["DATABASE_ADMIN_URL"]) as connection:
        rows = connection.execute(
            "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls FROM pg_roles "
            "WHERE rolname LIKE 'cs%'"
        ).fetchall()
    roles = {row[0]: row[1:] for row in rows}

    assert roles == {
        "cs_owner": (False, True, False, False),
        "cs_app": (False, False, False, False),
        "cs_sealer": (False, False, False, False),
    }
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert scalar(services["DATABASE_URL"], owner) == "cs_owner"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        scalar(services["DATABASE_URL"], "CREATE TABLE not_mine (n int)")


def test_no_password_no_entry(var_dir):
    services = up(var_dir, "postgres")
    url = services["DATABASE_URL"]
    stranger = url.replace(url.split(":")[2].split("@")[0], "wrong")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stranger)

    for name, wanted in {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        "synchronous_commit": "on",
        "max_connections": "100",
    }.items():
        assert scalar(services["DATABASE_ADMIN_URL"], f"SHOW {name}") == wanted, name


def test_redis_listens_on_its_socket_only_and_forgets_nothing(var_dir):
    services = up(var_dir, "redis")

    with redis.Redis.from_url(services["REDIS_URL"]) as broker:
        assert broker.config_get("port") == {"port": "0"}
        assert broker.config_get("appendonly") == {"appendonly": "yes"}
        assert broker.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert broker.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert stat.S_IMODE(Path(services["redis"]["socket"]).stat().st_mode) == 0o700


def test_a_long_var_dir_gets_a_short_private_socket(var_dir):
    deep = var_dir.parent / ("long" * 24) / "var"
    try:
        first = embedded.up(deep, which=["redis"])
        path = Path(first["redis"]["socket"])

        assert len(os.fsencode(path)) < 100
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        with redis.Redis.from_url(first["REDIS_URL"]) as broker:
            assert broker.ping()
        kill(first["redis"]["pid"])
        assert embedded.up(deep, which=["redis"])["redis"]["socket"] == str(path)

        embedded.down(deep)
        assert not path.parent.exists()
    finally:
        embedded.purge(deep)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user needs no other user")
def test_as_root_the_server_runs_as_somebody_else_also_under_a_closed_folder(var_dir, monkeypatch):
    # A wheel and a VAR_DIR under a folder like /root: neither can be reached by that user.
    closed = var_dir.parent / "closed"
    closed.mkdir(mode=0o700)
    hidden = closed / "site-packages"
    hidden.mkdir()
    copy_wheels(hidden)
    monkeypatch.syspath_prepend(str(hidden))
    hidden_var = closed / "var"
    try:
        services = up(hidden_var, "postgres")

        home = (hidden_var / "postgres").resolve()
        assert (hidden_var / "postgres").is_symlink()
        assert home.name.startswith(postgres_home.FALLBACK_PREFIX)
        assert (home / "dist").is_dir()
        assert Path(f"/proc/{services['postgres']['pid']}").stat().st_uid != 0
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700  # nobody's home was opened
        assert scalar(services["DATABASE_URL"], "SELECT current_user") == "cs_app"
        assert up(hidden_var, "postgres")["postgres"]["pid"] == services["postgres"]["pid"]
    finally:
        embedded.purge(hidden_var)
    assert not home.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_an_ordinary_user_needs_no_root(var_dir):
    user = processes.unprivileged_user()
    assert user is not None
    home = var_dir.parent / "home"
    home.mkdir()
    copy_wheels(home)  # this clone may lie where only root may enter
    os.chown(home, user.uid, user.gid)
    subprocess.run(["chmod", "-R", "a+rX", home], check=True)
    own = home / "var"

    # Forked, not executed: the interpreter, too, may be out of that user's reach.
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.gid)
            os.setuid(user.uid)
            os.chdir(home)
            sys.path.insert(0, str(home))
            services = embedded.up(own, free_ports=True, durable=False)
            assert scalar(services["DATABASE_URL"], "SELECT current_user") == "cs_app"
            assert Path(f"/proc/{services['postgres']['pid']}").stat().st_uid == user.uid
            assert stat.S_IMODE(own.stat().st_mode) == 0o700
            assert stat.S_IMODE((own / "services.json").stat().st_mode) == 0o600
            embedded.purge(own)
            assert not own.exists()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_changed_password_file_is_explained(var_dir):
    up(var_dir, "postgres")
    embedded.down(var_dir)
    secrets = state.read(var_dir / "secrets.json")
    state.write(var_dir / "secrets.json", {**secrets, "POSTGRES_PASSWORD": "another"})

    with pytest.raises(embedded.EmbeddedError, match=r"secrets\.json are not those of the data"):
        up(var_dir, "postgres")

    assert not embedded.status(var_dir, ["postgres"])[0].is_running


def test_an_interrupted_initdb_is_done_again(var_dir):
    home = state.prepare(var_dir) / "postgres"
    unfinished = home / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    user = processes.unprivileged_user()
    if user:
        os.chown(home, user.uid, user.gid)
    (var_dir / ".embedded.lock").touch()

    services = up(var_dir, "postgres")

    assert scalar(services["DATABASE_URL"], "SELECT 1") == 1


def test_purge_refuses_a_folder_that_is_not_ours(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(embedded.EmbeddedError, match="not made by us"):
        embedded.purge(tmp_path)

    assert (tmp_path / "thesis.txt").exists()


def test_manage_py_embedded_is_the_same_door(var_dir, capsys):
    chosen = {"only": "redis", "var_dir": var_dir}

    call_command("embedded", "up", **chosen)
    assert "redis     running" in capsys.readouterr().out
    call_command("embedded", "down", **chosen)
    with pytest.raises(SystemExit, match="1"):
        call_command("embedded", "status", **chosen)
    with pytest.raises(CommandError, match="Unknown service mysql"):
        call_command("embedded", "up", only="mysql", var_dir=var_dir)


def test_the_command_line_starts_shows_and_stops(var_dir):
    command = [sys.executable, "-m", "embedded"]
    run = {"cwd": ROOT, "capture_output": True, "text": True, "check": False}
    chosen = ["--only", "redis", "--var-dir", str(var_dir)]

    assert subprocess.run([*command, "status", *chosen], **run).returncode == 1
    started = subprocess.run([*command, "up", *chosen], **run)
    assert started.returncode == 0
    assert "running" in started.stdout
    assert subprocess.run([*command, "status", *chosen], **run).returncode == 0
    assert "stopped: redis" in subprocess.run([*command, "down", *chosen], **run).stdout

    wrong = subprocess.run([*command, "up", "--only", "mysql", "--var-dir", str(var_dir)], **run)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("embedded: Unknown service mysql")
