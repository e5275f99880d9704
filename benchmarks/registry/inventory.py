"""The inventory and the search at 10,000 models and 100,000 versions: server time, query counts.

Runs in processes and a database of its own (``VAR_DIR``/bench-inventory), as the application's own
role, through every middleware; only the network and the web server are left out. The same pages
are asked of a workspace of 50 models, which must take as many queries.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import figure

MODELS, FEW, VERSIONS = 10_000, 50, 10
REQUESTS = 60
BAR_MS = 100.0
#: What is asked, by the name of its figure; each address as a person's browser would ask it.
PAGES = {
    "inventory_page": [f"/models/?page={page}" for page in (1, 2, 57, 199)],
    "inventory_filtered": [
        "/models/?tier=1&q=fraud",
        "/models/?needs=promotion",
        "/models/?kind=ranking&live=production&owner=person",
        "/models/?tag=team%3Dteam-3&consumption=batch",
    ],
    "search_page": [
        "/search/?q=fraud",
        "/search/?q=credit-risk",
        "/search/?q=quantised+forest+-gradient&what=version",
        "/search/?q=re&live=production",
    ],
    "search_api": [
        "/api/v1/search?q=fraud&limit=50",
        "/api/v1/search?q=retrained&type=version",
        "/api/v1/search?q=%22fraud+release%22&tier=1",
        "/api/v1/search?q=sepsis+or+dose&cursor=100",
    ],
    "as_of_page": ["/as-of/", "/as-of/?page=40", "/as-of/?environment=production"],
}


def run() -> bool:
    """Each figure; True when every bar is met."""
    with tempfile.TemporaryDirectory(prefix="cs-bench-") as folder:
        env = dict(os.environ)
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_SEALER_URL", "REDIS_URL"):
            env.pop(name, None)
        env |= {"VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
        embedded = [sys.executable, "-m", "embedded"]
        options = ["--var-dir", folder]
        subprocess.run([*embedded, "up", *options, "--free-ports"], env=env, check=True)
        try:
            migrate = [sys.executable, "manage.py", "migrate", "-v", "0"]
            subprocess.run(migrate, env=env | {"DATABASE_ROLE": "owner"}, check=True)
            measure = [sys.executable, "-m", "benchmarks.registry.inventory"]
            subprocess.run(measure, env=env, check=True)
            found = json.loads((Path(folder) / "measured.json").read_text())
        finally:
            subprocess.run([*embedded, "down", *options], env=env, check=False)
    return report(found)


def report(found: dict[str, dict[str, float]]) -> bool:
    """The JSON lines of what was measured."""
    good = []
    for name, it in found.items():
        good.append(
            figure(
                f"registry.{name}_p95_ms",
                it["p95_ms"],
                bar=BAR_MS,
                better="lower",
                unit="ms",
                how=f"server time of {REQUESTS} requests at {MODELS:,} models, "
                f"{MODELS * VERSIONS:,} versions; p50 {it['p50_ms']:.0f} ms, CPU of application "
                f"and database {it['cpu_ms']:.0f} ms on average",
            )
        )
        good.append(
            figure(
                f"registry.{name}_queries_growth",
                it["queries_many"] - it["queries_few"],
                bar=0,
                better="lower",
                unit="queries",
                how=f"{it['queries_many']:.0f} queries at most at {MODELS:,} models, "
                f"{it['queries_few']:.0f} at {FEW}",
            )
        )
    return all(good)


def measure() -> dict[str, dict[str, float]]:
    """In a process that has Django set up: fill both workspaces, then ask."""
    import django

    django.setup()
    many, few = _workspace("many", MODELS), _workspace("few", FEW)
    return {name: _measured(many, few, addresses) for name, addresses in PAGES.items()}


def _workspace(slug: str, models: int) -> object:
    import psycopg
    from django.test import Client

    from accounts.models import Membership, User, Workspace
    from accounts.signals import workspace_created
    from benchmarks.registry.inventory_data import fill

    if not User.objects.exists():
        for number in range(20):
            User.objects.create(email=f"p{number}@example.com", name=f"Person {number}")
    workspace = Workspace.objects.create(slug=slug, name=slug.title())
    workspace_created.send(sender=Workspace, workspace=workspace)
    reader = User.objects.create(email=f"{slug}@example.com", name="Reader")
    Membership.objects.create(workspace=workspace, user=reader, role="auditor")
    services = json.loads((Path(os.environ["VAR_DIR"]) / "services.json").read_text())
    with psycopg.connect(services["DATABASE_ADMIN_URL"]) as admin:
        fill(admin, workspace=workspace.pk, models=models, versions=VERSIONS)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(reader, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def _measured(many: object, few: object, addresses: list[str]) -> dict[str, float]:
    counts = {"many": 0, "few": 0}
    for name, client in (("many", many), ("few", few)):
        for address in addresses:
            _ask(client, address)  # the first fills caches that every process has
            counts[name] = max(counts[name], _queries(client, address))
    spent = []
    busy = _cpu_s()
    for number in range(REQUESTS):
        start = time.perf_counter()
        _ask(many, addresses[number % len(addresses)])
        spent.append((time.perf_counter() - start) * 1000)
    busy = _cpu_s() - busy
    spent.sort()
    return {
        "cpu_ms": busy * 1000 / REQUESTS,
        "p50_ms": spent[len(spent) // 2],
        "p95_ms": spent[int(len(spent) * 0.95) - 1],
        "queries_many": counts["many"],
        "queries_few": counts["few"],
    }


def _cpu_s() -> float:
    """CPU seconds of this process and of its backend in PostgreSQL: the same on a busy machine."""
    from django.db import connection

    connection.ensure_connection()
    stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text()
    user, system = stat.rsplit(")", 1)[1].split()[11:13]
    return time.process_time() + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _ask(client: object, address: str) -> None:
    answer = client.get(address)  # type: ignore[attr-defined]
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}")


def _queries(client: object, address: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as asked:
        _ask(client, address)
    return len(asked)


if __name__ == "__main__":
    measured = measure()
    (Path(os.environ["VAR_DIR"]) / "measured.json").write_text(json.dumps(measured))
