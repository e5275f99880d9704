"""The MLflow registry contract, side by side: MLflow's own server (one worker) and ours.

Calls alternate between the two over one kept connection each, so that whatever the machine does
beside them hits both. Figures are ratios of medians.
"""

from __future__ import annotations

import http.client
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks.registry import load, servers
from benchmarks.report import figure

MODELS, VERSIONS, MANY = 2000, 5, 3000
RUNS, HEAVY_RUNS = 300, 80
PREFIX = "/api/2.0/mlflow/"
Call = tuple[str, str, dict[str, Any]]


class Client:
    """One kept connection, as a pipeline's client holds it."""

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self.headers = {"Content-Type": "application/json"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def seconds(self, call: Call) -> float:
        """How long one call took; anything but 200 ends the benchmark."""
        method, path, values = call
        target, body = PREFIX + path, None
        if method == "GET":
            target += "?" + urlencode(values)
        else:
            body = json.dumps(values)
        start = time.perf_counter()
        self.connection.request(method, target, body, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        spent = time.perf_counter() - start
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} {values}: {answer.status} {content[:300]!r}")
        return spent


def run() -> bool:
    """Every figure; True when every bar is met."""
    var = Path(tempfile.mkdtemp(prefix="countersign-bench-"))
    try:
        with servers.ground(var) as here, servers.mlflow(here) as theirs:
            load.into_mlflow(servers.mlflow_database(here), MODELS, VERSIONS, MANY)
            token = here.manage(
                "-m", "benchmarks.registry.load", str(MODELS), str(VERSIONS), str(MANY)
            ).strip()
            with servers.ours(here) as own:
                results = _side_by_side(Client(theirs), Client(own, token))
                results.append(_flat(Client(own, token)))
            results += [_steps(here, token, workers) for workers in (1, 2, 4)]
            return all(results)
    finally:
        shutil.rmtree(var, ignore_errors=True)


def _side_by_side(theirs: Client, own: Client) -> list[bool]:
    generator = random.Random(1)

    def name() -> str:
        return load.model_name(generator.randrange(MODELS))

    def number() -> str:
        return str(generator.randint(1, VERSIONS))

    def create() -> Call:
        values = {"name": name(), "source": f"s3://b/{generator.getrandbits(64)}"}
        tags = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
        return "POST", "model-versions/create", {**values, "tags": tags}

    def alias() -> Call:
        values = {"name": name(), "alias": "challenger", "version": number()}
        return "POST", "registered-models/alias", values

    operations: list[tuple[str, float, int, Callable[[], Call]]] = [
        (
            "get_version",
            0.35,
            RUNS,
            lambda: ("GET", "model-versions/get", {"name": name(), "version": number()}),
        ),
        (
            "search_page_of_100",
            0.4,
            HEAVY_RUNS,
            lambda: ("GET", "model-versions/search", {"max_results": 100}),
        ),
        (
            "search_by_tags_page_of_100",
            0.4,
            HEAVY_RUNS,
            lambda: (
                "GET",
                "model-versions/search",
                {
                    "max_results": 100,
                    "filter": "tags.approved = 'yes' AND tags.stage = 'prod'",
                },
            ),
        ),
        (
            "get_model",
            1.0,
            RUNS,
            lambda: ("GET", "registered-models/get", {"name": name()}),
        ),
        ("create_version", 0.6, RUNS, create),
        ("set_alias", 0.6, RUNS, alias),
    ]
    met = []
    for title, bar, runs, make in operations:
        both = [make() for _ in range(runs + 10)]
        spent: tuple[list[float], list[float]] = ([], [])
        for at, call in enumerate(both):
            for side, client in enumerate((theirs, own)):
                took = client.seconds(call)
                if at >= 10:  # the first ones warm both up
                    spent[side].append(took)
        peer, mine = median(spent[0]), median(spent[1])
        how = f"p50 of {runs}: {mine * 1000:.2f} ms against MLflow's {peer * 1000:.2f} ms"
        ratio = mine / peer
        met.append(
            figure(f"registry.{title}_p50_ratio", ratio, bar=bar, better="lower", unit="×", how=how)
        )
    return met


def _flat(own: Client) -> bool:
    few = [own.seconds(_get(load.model_name(it))) for it in range(RUNS)]
    many = [own.seconds(_get(load.DEEP)) for _ in range(RUNS)]
    return figure(
        "registry.get_model_growth",
        median(many) / median(few),
        bar=1.25,
        better="lower",
        unit="×",
        how=f"registered-models/get with {MANY:,} versions against {VERSIONS}, p50 of {RUNS}",
    )


def _steps(here: servers.Ground, token: str, workers: int) -> bool:
    with servers.ours(here, workers=workers) as own:
        client = Client(own, token)
        spent = [client.seconds(_get(load.model_name(it))) for it in range(200)][20:]
    return figure(
        f"registry.step_at_{workers}_workers_ms",
        median(spent) * 1000,
        bar=20.0,
        better="lower",
        unit="ms",
        how="p50 of 180 calls: no 40 ms between header and body",
    )


def _get(name: str) -> Call:
    return "GET", "registered-models/get", {"name": name}
