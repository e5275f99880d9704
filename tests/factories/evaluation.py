"""The smallest valid evidence, and what it is computed from: a real dataset and real rows."""

from __future__ import annotations

import io
from typing import Any

import factory
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.db.models.functions import Now

from accounts.callers import Caller
from evaluation.models import Evidence, PredictionsFile, ScoredBatch
from evaluation.services.finish import evidence_digest
from registry.models import Dataset
from registry.services import datasets
from tests.factories.registry import ModelVersionFactory


class EvidenceFactory(factory.django.DjangoModelFactory[Evidence]):
    """An evaluation that nobody has begun."""

    class Meta:
        model = Evidence

    version = factory.SubFactory(ModelVersionFactory)
    workspace = factory.SelfAttribute("version.model.workspace")
    kind = "evaluation"
    created_by_pid = "p:test"
    created_by_label = "Ada"


class PredictionsFileFactory(factory.django.DjangoModelFactory[PredictionsFile]):
    """A row without a file; ``evaluation.services.predictions.store`` makes one with."""

    class Meta:
        model = PredictionsFile

    version = factory.SubFactory(ModelVersionFactory)
    workspace = factory.SelfAttribute("version.model.workspace")
    digest = factory.Sequence(lambda n: f"sha256:{n:064x}")
    storage_name = factory.LazyAttribute(lambda it: it.digest.replace(":", "/"))
    rows = 1
    columns = factory.LazyFunction(lambda: ["row", "score"])
    created_by_pid = "p:test"


class ScoredBatchFactory(factory.django.DjangoModelFactory[ScoredBatch]):
    class Meta:
        model = ScoredBatch

    evidence = factory.SubFactory(EvidenceFactory)
    arm = "candidate"
    index = factory.Sequence(int)
    rows = 2
    scores = factory.LazyFunction(lambda: np.array([0.1, 0.2], dtype="<f8").tobytes())
    latency_ms = 1.0


def complete(evidence: Evidence, result: dict[str, Any]) -> Evidence:
    """Seal it without an event, for tests of what comes after."""
    evidence.result = result
    evidence.state = Evidence.State.COMPLETE
    evidence.digest = evidence_digest(evidence)
    evidence.completed_at = Now()
    evidence.save()
    evidence.refresh_from_db()
    return evidence


def people(rows: int = 300, seed: int = 1, gaps: int = 0) -> dict[str, list[Any]]:
    """Applicants: the label follows ``x`` and, unfairly, the group; ``gaps`` of them have none."""
    generator = np.random.default_rng(seed)
    x = np.round(generator.normal(size=rows), 4)
    group = generator.choice(["a", "b"], rows, p=[0.6, 0.4])
    chance = 1 / (1 + np.exp(-(1.5 * x - 0.8 * (group == "b"))))
    label: list[Any] = [int(value) for value in generator.random(rows) < chance]
    for index in range(gaps):
        label[index] = None
    return {
        "id": [f"r{index}" for index in range(rows)],
        "x": x.tolist(),
        "z": np.round(generator.normal(size=rows), 4).tolist(),
        "group": group.tolist(),
        "label": label,
    }


def parquet(columns: dict[str, list[Any]]) -> io.BytesIO:
    """The columns as an uploaded file."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    file.seek(0)
    return file


def upload(caller: Caller, columns: dict[str, list[Any]], **fields: Any) -> Dataset:
    """A real dataset with a file; ``label`` and ``id`` are its columns unless said otherwise."""
    return datasets.upload(
        caller=caller,
        name=fields.pop("name", "holdout"),
        fileobj=parquet(columns),
        filename="holdout.parquet",
        **{"label_column": "label", "id_column": "id", **fields},
    )
