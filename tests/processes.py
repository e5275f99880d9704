"""The house for race, fault and end-to-end tests: real processes on a fresh database.

    @pytest.mark.serial
    def test_a_killed_worker_leaves_one_result(house):
        ada = house.person("validator")      # this process's ORM is on the house's database
        web, worker = house.web(), house.worker()
        browser = house.signed_in(ada)       # httpx client, through the real sign-in form
        ...
        worker.kill()                        # SIGKILL to that process group, by pid
        house.worker()
        house.wait("the job is done", lambda: Job.objects.get().is_terminal, timeout_s=30)

A database is cloned from a migrated template (some 30 ms; the template is made anew whenever a
migration file changes), Redis is the house's own, and so is VAR_DIR: mail lies in
``house.var / "mail"``. In this process models, storage and keys are the house's while the fixture
lives; it connects as the owner of the tables.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
TEMPLATE = "cs_template_"
STOP_S = 10.0


@dataclass
class Process:
    """One process of the house and its log; in a process group of its own."""

    name: str
    popen: subprocess.Popen[bytes]
    log_path: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """A signal to the whole group: a worker's children too."""
        if self.is_running:
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """``kill -9``; returns when it is gone."""
        self._end_group(signal.SIGKILL)
        self.popen.wait(STOP_S)

    def stop(self) -> int:
        """SIGTERM, then SIGKILL after ten seconds; returns the exit status."""
        if self.is_running:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(STOP_S)
        self._end_group(signal.SIGKILL)  # children that outlived their parent
        return self.popen.wait(STOP_S)

    def _end_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


@dataclass
class House:
    """Everything a test needs of a running Countersign."""

    var: Path
    port: int
    database: str
    urls: Mapping[str, str]
    secrets: Mapping[str, str]
    processes: list[Process] = field(default_factory=list)
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def env(self, role: str = "app", **extra: str) -> dict[str, str]:
        """The environment of a process of the house; ``role`` is app, owner or sealer."""
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TZ") if key in os.environ}
        return {
            **kept,
            **self.secrets,
            **self.urls,
            "VAR_DIR": str(self.var),
            "PORT": str(self.port),
            "DJANGO_SETTINGS_MODULE": "config.settings.processes",
            "DATABASE_ROLE": role,
            "EMAIL_URL": "file:",
            "PYTHONUNBUFFERED": "1",
            **extra,
        }

    # Processes

    def start(self, name: str, *argv: str, role: str = "app", **extra: str) -> Process:
        """Any command; its output goes to ``var/logs/{name}-{n}.log``."""
        logs = self.var / "logs"
        logs.mkdir(exist_ok=True)
        path = logs / f"{name}-{len(self.processes)}.log"
        with path.open("wb") as out:
            popen = subprocess.Popen(
                argv,
                cwd=ROOT,
                env=self.env(role, **extra),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(name, popen, path)
        self.processes.append(process)
        return process

    def web(self, threads: int = 8, **extra: str) -> Process:
        """The site under granian, ready for requests."""
        process = self.start(
            "web",
            *(str(BIN / "granian"), "--interface", "wsgi", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--workers", "1", "--blocking-threads", str(threads)),
            "config.wsgi:application",
            DATABASE_POOL="1",
            **extra,
        )
        self.wait("the site answers", self._is_ready, timeout_s=60, alive=[process])
        return process

    def worker(self, queues: str = "default,traffic", concurrency: int = 2) -> Process:
        """A Celery worker, listening."""
        process = self.start(
            "worker",
            *(sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-Q", queues),
            *("-c", str(concurrency), "-n", f"w{len(self.processes)}@house", "--loglevel", "INFO"),
        )
        self.wait(
            "the worker listens", lambda: " ready." in process.log, timeout_s=60, alive=[process]
        )
        return process

    def beat(self) -> Process:
        return self.start("beat", sys.executable, "-m", "celery", "-A", "config.celery", "beat")

    def sealer(self) -> Process:
        return self.start("sealer", sys.executable, "manage.py", "sealer", role="sealer")

    def manage(self, *argv: str, role: str = "app", check: bool = True) -> str:
        """One management command, to its end; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *argv],
            cwd=ROOT,
            env=self.env(role),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=110,
        )
        if check and done.returncode:
            raise AssertionError(f"manage.py {' '.join(argv)}: {done.stdout}{done.stderr}")
        return done.stdout

    def wait(
        self,
        what: str,
        condition: Callable[[], Any],
        *,
        timeout_s: float = 30.0,
        alive: list[Process] | None = None,
    ) -> Any:
        """Ask until the answer is true, and return it; else say what for, with the logs' ends."""
        deadline = time.monotonic() + timeout_s
        while not (answer := condition()):
            dead = [process.name for process in alive or [] if not process.is_running]
            if dead or time.monotonic() > deadline:
                reason = f"{dead} ended" if dead else f"not within {timeout_s:g} s"
                raise AssertionError(f"waited until {what}: {reason}\n{self.logs()}")
            time.sleep(0.05)
        return answer

    def logs(self, lines: int = 25) -> str:
        """The end of every log, for a failure's message."""
        return "\n".join(
            "\n".join([f"--- {process.log_path.name}", *process.log.splitlines()[-lines:]])
            for process in self.processes
        )

    # Redis

    def start_redis(self) -> None:
        import embedded

        embedded.up(self.var, self.port, ["redis"])

    def kill_redis(self) -> None:
        """``kill -9`` of the house's own Redis."""
        import embedded

        (redis,) = embedded.status(self.var, ["redis"])
        if redis.pid is not None:
            os.kill(redis.pid, signal.SIGKILL)
            self.wait(
                "Redis is gone", lambda: not embedded.status(self.var, ["redis"])[0].is_running
            )

    # People and data

    def workspace(self, slug: str = "acme", name: str = "Acme") -> Any:
        """The workspace of that slug, made with its environments when it is not there."""
        from accounts.models import Workspace
        from accounts.signals import workspace_created

        made, is_new = Workspace.objects.get_or_create(slug=slug, defaults={"name": name})
        if is_new:
            workspace_created.send(sender=Workspace, workspace=made)
        return made

    def person(self, *roles: str, **fields: Any) -> Any:
        """A person with these roles in ``acme``; signs in with ``factories.accounts.PASSWORD``."""
        from tests.factories import accounts

        return accounts.person(self.workspace(), *roles, **fields)

    def bearer(self, user: Any, scopes: list[str] | None = None) -> httpx.Client:
        """A REST client with a new token of this person; closed with the house."""
        from tests.factories import accounts

        _, text = accounts.token(self.workspace(), user=user, scopes=scopes)
        client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {text}"}, timeout=30
        )
        self.clients.append(client)
        return client

    def signed_in(self, user: Any, password: str | None = None) -> httpx.Client:
        """A browser-like client, signed in through the real form; closed with us."""
        from tests.factories.accounts import PASSWORD

        client = httpx.Client(base_url=self.url, timeout=30, follow_redirects=True)
        self.clients.append(client)
        page = client.get("/accounts/login/")
        answer = client.post(
            "/accounts/login/",
            data={
                "login": user.email,
                "password": password or PASSWORD,
                "csrfmiddlewaretoken": csrf_token(page.text),
            },
            headers={"Referer": self.url},
        )
        if "sessionid" not in client.cookies:
            raise AssertionError(f"{user.email} could not sign in: {answer.status_code}")
        client.headers["X-CSRFToken"] = client.cookies["csrftoken"]
        client.headers["Referer"] = self.url
        return client

    def close(self) -> None:
        import embedded

        for client in self.clients:
            client.close()
        for process in reversed(self.processes):
            process.stop()
        embedded.down(self.var, ["redis"])

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


def csrf_token(page: str) -> str:
    """The hidden field's value in a page with a form."""
    _, _, rest = page.partition('name="csrfmiddlewaretoken" value="')
    if not rest:
        raise AssertionError("the page has no form with a CSRF token")
    return rest.partition('"')[0]


@pytest.fixture
def house(django_db_blocker: Any) -> Iterator[House]:
    """A house whose processes the test starts; all of them end with it."""
    from django.conf import settings
    from django.db import connections
    from django.test.utils import override_settings

    from embedded import processes

    var = Path(tempfile.mkdtemp(prefix="cs-house-"))  # short: a socket's path has 100 bytes at most
    name = f"cs_house_{os.getpid()}_{time.monotonic_ns()}"
    urls = {key: _with_database(url, name) for key, url in _database_urls().items()}
    clone(template(), name)
    connection = connections["default"]
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    storages = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": var / "storage"},
        },
    }
    made = House(var, processes.free_port(), name, urls, _secrets())
    try:
        with (
            django_db_blocker.unblock(),
            override_settings(VAR_DIR=var, MEDIA_ROOT=var / "storage", STORAGES=storages),
        ):
            made.start_redis()
            yield made
    finally:
        made.close()
        connections.close_all()
        connection.settings_dict["NAME"] = before
        drop(name)
        shutil.rmtree(var, ignore_errors=True)


def template() -> str:
    """The name of a database with all migrations applied; made when it is not there."""
    name = TEMPLATE + _migrations_digest()
    with (Path(tempfile.gettempdir()) / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _maintenance() as connection:
            rows = connection.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [TEMPLATE]
            ).fetchall()
            for (old,) in rows:
                if old != name:  # an older set of migrations, or one that was not finished
                    _drop(connection, old)
        if (name,) not in rows:
            _make_template(name)
    return name


def clone(source: str, name: str) -> None:
    with _maintenance() as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(source)
            )
        )


def drop(name: str) -> None:
    with _maintenance() as connection:
        _drop(connection, name)


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


def _make_template(name: str) -> None:
    making = f"{TEMPLATE}new_{os.getpid()}"
    with _maintenance() as connection:
        _drop(connection, making)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(making)))
    urls = {key: _with_database(url, making) for key, url in _database_urls().items()}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"],
        cwd=ROOT,
        env={
            **os.environ,
            **urls,
            "DATABASE_ROLE": "owner",
            "DJANGO_SETTINGS_MODULE": "config.settings.processes",
        },
        check=True,
    )
    with _maintenance() as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(making), sql.Identifier(name)
            )
        )


def _migrations_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(ROOT.glob("*/migrations/*.py")):
        digest.update(path.parent.parent.name.encode() + path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _maintenance() -> psycopg.Connection[Any]:
    return psycopg.connect(_database_urls()["DATABASE_OWNER_URL"], autocommit=True)


def _database_urls() -> dict[str, str]:
    """The three URLs that the tests themselves were given."""
    from django.conf import settings

    from config import env

    known = {**env._json(settings.VAR_DIR / "services.json"), **env._set(os.environ)}
    return {name: known[name] for name in env.DATABASE_VARIABLES.values()}


def _with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def _secrets() -> dict[str, str]:
    """This process's own keys: what a test records, the house can verify."""
    from django.conf import settings

    return {
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_KEYS": ",".join(settings.FIELD_KEYS),
        "AUDIT_SIGNING_KEY": settings.AUDIT_SIGNING_KEY,
        "AUDIT_MAC_KEY": settings.AUDIT_MAC_KEY,
    }
