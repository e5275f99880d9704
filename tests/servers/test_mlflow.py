"""The MLflow protocol against MLflow's own scoring server, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo import data, models
from demo.processes import Supervisor
from embedded import processes
from serving.errors import EndpointUnavailable
from serving.services.predict import predict
from serving.traffic import score_batches
from tests.factories.serving import EndpointFactory

pytestmark = [pytest.mark.serial, pytest.mark.django_db]
KEY = "flights-4"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("mlflow")
    subprocess.run([sys.executable, "-m", "demo.models", str(folder)], check=True, timeout=90)
    port = processes.free_port()
    supervisor = Supervisor(folder, {})
    server = supervisor.start(
        "mlflow",
        *("uvicorn", "--host", "127.0.0.1", "--port", str(port)),
        "mlflow.pyfunc.scoring_server.app:app",
        __pyfunc_model_path__=str(folder / KEY),
    )
    try:
        supervisor.wait_http(server, f"http://127.0.0.1:{port}/ping")
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        supervisor.stop()


@pytest.fixture
def endpoint(url: str, settings: Any) -> Any:
    port = url.split(":")[2].split("/")[0]
    settings.OUTBOUND_ALLOW = f"127.0.0.1/32:{port}"
    return EndpointFactory(
        url=url, input_columns=data.ALL_FEATURES, timeout_ms=10_000, max_batch_rows=50
    )


def rows(count: int) -> list[dict[str, Any]]:
    frame = data.holdout(data.flights())[data.ALL_FEATURES].head(count).astype(object)
    return list(frame.where(frame.notna(), None).to_dict("records"))


def test_both_clients_get_the_same_probabilities_in_order(endpoint: Any) -> None:
    asked = rows(120)

    one_by_one = predict(endpoint, asked).scores
    batches = [asked[i : i + 50] for i in range(0, len(asked), 50)]
    streamed = dict(score_batches(endpoint, batches, concurrency=2))

    assert one_by_one.shape == (120,)
    assert ((one_by_one > 0) & (one_by_one < 1)).all()
    together = np.concatenate([streamed[index].scores for index in sorted(streamed)])
    assert np.array_equal(together, one_by_one)


def test_a_model_that_fails_is_said_to_be_the_server_and_none_of_the_row_is_repeated(
    endpoint: Any,
) -> None:
    row = {**rows(1)[0], "temp": None, "carrier": "CANARY-VALUE"}

    with pytest.raises(EndpointUnavailable) as caught:
        predict(endpoint, [row])

    assert caught.value.code == "http_500"
    assert "CANARY-VALUE" not in str(caught.value)


def test_every_recipe_is_a_folder_with_artifacts_by_digest(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")

    assert models.artifacts(tmp_path) == [
        {
            "name": "model.bin",
            "size": 1,
            "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
        }
    ]
