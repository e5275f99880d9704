"""A workspace with a model, two versions, a dataset, and model servers that really answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from accounts.callers import Caller
from registry.models import Dataset, ModelVersion, RegisteredModel
from serving.models import Endpoint
from tests.evaluation.model_server import ModelServer, Row
from tests.factories import evaluation as make
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory
from tests.factories.serving import EndpointFactory


def good(row: Row) -> float:
    return float(1 / (1 + np.exp(-1.5 * row["x"])))


def other(row: Row) -> float:
    return float(1 / (1 + np.exp(-(1.2 * row["x"] + 0.6 * row["z"]))))


@pytest.fixture(autouse=True)
def _own_storage(tmp_path: Any, settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "storage"},
        },
    }


@pytest.fixture
def serve(settings: Any) -> Iterator[Callable[[Callable[[Row], float]], ModelServer]]:
    started: list[ModelServer] = []

    def start(score: Callable[[Row], float] = good) -> ModelServer:
        server = ModelServer(score)
        started.append(server)
        settings.OUTBOUND_ALLOW = ",".join(f"127.0.0.1/32:{one.port}" for one in started)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def caller(caller_for: Callable[..., Caller]) -> Caller:
    return caller_for("model_owner", "validator")


@pytest.fixture
def model(workspace: Any) -> RegisteredModel:
    return RegisteredModelFactory(workspace=workspace, name="credit", kind="binary")


@pytest.fixture
def version(model: RegisteredModel) -> ModelVersion:
    return ModelVersionFactory(model=model, decision_threshold=0.5)


@pytest.fixture
def second(model: RegisteredModel, version: ModelVersion) -> ModelVersion:
    return ModelVersionFactory(model=model, decision_threshold=0.5)


@pytest.fixture
def dataset(caller: Caller) -> Dataset:
    return make.upload(caller, make.people(300, gaps=7))


@pytest.fixture
def endpoint_of() -> Callable[..., Endpoint]:
    def build(version: ModelVersion, server: ModelServer, **fields: Any) -> Endpoint:
        defaults = {"url": server.url, "input_columns": ["x", "z"], "timeout_ms": 1000}
        return EndpointFactory(version=version, **{**defaults, **fields})

    return build


@pytest.fixture
def finished(transactional_db: None) -> Iterator[list[Any]]:
    """Evidence that the signal told of, in order."""
    from evaluation.signals import evidence_finished

    told: list[Any] = []

    def note(sender: object, evidence: Any, **kwargs: Any) -> None:
        told.append(evidence)

    evidence_finished.connect(note, dispatch_uid="tests.finished")
    yield told
    evidence_finished.disconnect(dispatch_uid="tests.finished")
