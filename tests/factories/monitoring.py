"""Monitors made through the services, with a real reference; rows to send to them."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.callers import Caller
from common.canonical import sha256_hex
from jobs.services.run import run_until_idle
from monitoring.models import Alert, AlertRule, Ingest, Monitor, Report, Window
from monitoring.services import ingest, monitors
from monitoring.services.monitors import Meaning
from registry.models import Dataset, Environment
from registry.services import datasets
from tests.factories.accounts import person
from tests.factories.registry import DatasetFactory, ModelVersionFactory, RegisteredModelFactory

#: The first window of ``rows``.
START = datetime(2013, 4, 1, tzinfo=UTC)


def system(workspace: Any) -> Caller:
    return Caller.system("tests", workspace)


def rows(
    count: int = 600,
    *,
    seed: int = 1,
    shift: float = 0.0,
    at: datetime = START,
    prefix: str = "r",
) -> dict[str, list[Any]]:
    """Scored rows of one day: ``temp`` moved by ``shift`` deviations, a carrier, a score."""
    generator = np.random.default_rng(seed)
    temp = generator.normal(50, 10, count) + 10 * shift
    score = 1 / (1 + np.exp(-(temp - 50) / 10))
    return {
        "flight_id": [f"{prefix}{seed}-{i}" for i in range(count)],
        "scheduled_at": [at + timedelta(seconds=int(i) % 80000) for i in range(count)],
        "temp": np.round(temp, 4).tolist(),
        "carrier": generator.choice(["AA", "UA", "DL"], count).tolist(),
        "score": np.round(score, 6).tolist(),
    }


def labels(sent: dict[str, list[Any]], *, seed: int = 1, noise: bool = False) -> dict[str, list]:
    """A label a row, following the score, or (``noise``) nothing at all."""
    generator = np.random.default_rng(seed + 1000)
    chance = np.array(sent["score"]) if not noise else np.full(len(sent["score"]), 0.5)
    late = (generator.random(len(chance)) < chance).astype(int)
    return {"flight_id": list(sent["flight_id"]), "late": late.tolist()}


def parquet(columns: dict[str, Any]) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    file.seek(0)
    return file


def ndjson(columns: dict[str, Any]) -> io.BytesIO:
    names = list(columns)
    lines = [
        json.dumps(dict(zip(names, values, strict=True)), default=lambda at: at.isoformat())
        for values in zip(*columns.values(), strict=True)
    ]
    return io.BytesIO("\n".join(lines).encode())


def reference(workspace: Any, *, name: str = "reference", **extra: list[Any]) -> Dataset:
    """3,000 rows like ``rows``, with labels; stored as an upload would have left it."""
    content = rows(3000, seed=7, prefix="ref")
    content["late"] = labels(content, seed=7)["late"]
    content.update(extra)
    raw = parquet(content).getvalue()
    digest = sha256_hex(raw)
    stored = datasets.storage_name(digest)
    if not default_storage.exists(stored):
        default_storage.save(stored, ContentFile(raw))
    return DatasetFactory(
        workspace=workspace,
        name=name,
        digest=digest,
        storage_name=stored,
        size_bytes=len(raw),
        rows=3000,
        columns=[
            {
                "name": column,
                "type": _type(values),
                "nulls": sum(value is None for value in values),
                "distinct": len(set(values) - {None}),
            }
            for column, values in content.items()
        ],
        label_column="late",
    )


def _type(values: list[Any]) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "text"}
    return kinds.get(type(next((v for v in values if v is not None), 0.0)), "time")


def monitor(workspace: Any, *, dataset: Dataset | None = None, **fields: Any) -> Monitor:
    """A monitor with daily windows over ``rows``, and the default rule."""
    owner = fields.pop("owner", None) or person(workspace, "model_owner")
    model = fields.pop("model", None) or RegisteredModelFactory(workspace=workspace, owner=owner)
    meaning = fields.pop("meaning", None) or Meaning(
        id="flight_id", time="scheduled_at", score="score", label="late"
    )
    return monitors.create(
        caller=fields.pop("caller", None) or system(workspace),
        name=fields.pop("name", f"{model.name} production"),
        version=ModelVersionFactory(model=model),
        environment=Environment.objects.get(workspace=workspace, name="production"),
        reference=dataset or reference(workspace, name=f"reference-{model.name}"),
        meaning=meaning,
        **fields,
    )


def send(
    of: Monitor, columns: dict[str, Any], *, what: str = "predictions", **options: Any
) -> Ingest:
    """Take an upload, without running its job."""
    made, _ = ingest.receive(
        caller=options.pop("caller", None) or system(of.workspace),
        monitor=of,
        what=what,
        fileobj=options.pop("fileobj", None) or ndjson(columns),
        format=options.pop("format", "ndjson"),
        **options,
    )
    return made


def days(of: Monitor, *shifts: float, label: bool = False, count: int = 600) -> list[Window]:
    """One window a day, each moved by a shift; counted and evaluated in this process."""
    for index, shift in enumerate(shifts):
        sent = rows(count, seed=20 + index, shift=shift, at=START + timedelta(days=index))
        send(of, sent)
        if label:
            send(of, labels(sent, seed=20 + index), what="labels")
    run_until_idle(30)
    return list(of.windows.order_by("start"))


# What follows are rows without what would lie behind them: for walks over routes.


def bare_monitor(workspace: Any) -> Monitor:
    """A monitor with a rule and one column, never fed."""
    version = ModelVersionFactory(model=RegisteredModelFactory(workspace=workspace))
    made = Monitor.objects.create(
        workspace=workspace,
        name=f"{version.model.name} production",
        model=version.model,
        environment=Environment.objects.get(workspace=workspace, name="production"),
        version=version,
        reference=DatasetFactory(workspace=workspace),
        id_column="id",
        time_column="at",
        score_column="score",
        columns=[{"name": "score", "kind": "numeric", "policy": "keep"}],
        created_by_pid="system:tests",
    )
    AlertRule.objects.create(
        monitor=made, name="Drift", kind="drift", created_by_pid="system:tests"
    )
    return made


def bare_window(of: Monitor) -> Window:
    """A window of 20 rows, evaluated, without results."""
    end = START + timedelta(days=1)
    return of.windows.create(start=START, end=end, rows=20, revision=1, is_dirty=False)


def bare_ingest(of: Monitor) -> Ingest:
    return of.ingests.create(
        what="predictions", digest="sha256:0", format="ndjson", created_by_pid="system:tests"
    )


def bare_alert(workspace: Any) -> Alert:
    """An open alert."""
    of = bare_monitor(workspace)
    return Alert.objects.create(
        workspace=workspace,
        number=1,
        monitor=of,
        rule=of.rules.get(),
        window=bare_window(of),
        cause="temp has drifted.",
        what_to_do="Look.",
        facts={"told": 1},
    )


def bare_report(workspace: Any, html: bytes | None = None) -> Report:
    """A report that waits for its job, or one that is ready with this page."""
    made: Report = bare_window(bare_monitor(workspace)).reports.create(
        revision=1,
        state="waiting" if html is None else "ready",
        html=None if html is None else gzip.compress(html),
    )
    return made
