"""A real MLflow server: brought in though killed midway, found by discover, kept files served."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.models import Alias, ImportRun, ModelVersion, RegisteredModel
from tests.processes import House, Process
from tests.registry.mlflow_client.test_client import s3, tell
from tests.servers import mlflow_server
from tests.servers.registry_calls import changes, state

__all__ = ["s3"]
pytestmark = [pytest.mark.serial, pytest.mark.timeout(600)]


def command(house: House, url: str, *argv: str) -> Process:
    return house.start(
        argv[0],
        *(sys.executable, "manage.py", *argv),
        OUTBOUND_ALLOW=f"127.0.0.1/32:{url.rpartition(':')[2]}",
    )


def fill(url: str) -> str:
    """What the conformance test makes, and a version with a run; returns the run's id."""
    with httpx.Client(base_url=f"{url}/api/2.0/mlflow/", timeout=30) as client:
        for method, path, parameters in (*state(), *changes()):
            if method == "GET":
                client.get(path, params=parameters)
            else:
                client.request(method, path, json=parameters)
        made = client.post("runs/create", json={"experiment_id": "0", "start_time": 1}).json()
        run_id: str = made["run"]["info"]["run_id"]
        for key, value in (("auc", 0.75), ("loss", 0.5)):
            metric = {"run_id": run_id, "key": key, "value": value, "timestamp": 1, "step": 1}
            assert client.post("runs/log-metric", json=metric).status_code == 200
        version = {"name": "fraud", "source": "s3://b/fraud/5", "run_id": run_id}
        assert client.post("model-versions/create", json=version).status_code == 200
        alias = {"name": "fraud", "alias": "champion", "version": "5"}
        assert client.post("registered-models/alias", json=alias).status_code == 200
    return run_id


def test_a_real_registry_comes_in_and_nothing_is_left_to_discover(
    house: House, tmp_path: Path
) -> None:
    ada = house.person("model_owner", email="ada@example.org")
    with mlflow_server.running(tmp_path) as url:
        run_id = fill(url)
        argv = ("import_mlflow", "--from", url, "--as", ada.email, "--all")
        first = command(house, url, *argv)
        house.wait("some are here", lambda: ModelVersion.objects.count() > 3, timeout_s=60)
        first.kill()
        second = command(house, url, *argv)
        house.wait("it ends", lambda: not second.is_running, timeout_s=120)
        run = ImportRun.objects.get()
        assert run.state == "done", second.log
        looked = command(house, url, "discover", "--json")
        house.wait("it ends", lambda: not looked.is_running, timeout_s=60)
        listed = httpx.get(
            f"{url}/api/2.0/mlflow/model-versions/search", params={"max_results": 1000}
        ).json()["model_versions"]

    here = ModelVersion.objects.exclude(model__kind="prompt")
    assert {(it["name"], int(it["version"])) for it in listed} == set(
        here.values_list("model__name", "number")
    )
    theirs = {(it["name"], int(it["version"])): it for it in listed}
    for version in here.select_related("model"):
        it = theirs[version.model.name, version.number]
        assert version.source == it["source"]
        assert version.run_id == it["run_id"]
        assert version.stage == it["current_stage"]
        assert version.description == it.get("description", "")
        assert version.tags == {tag["key"]: tag["value"] for tag in it.get("tags", ())}
    assert RegisteredModel.objects.filter(kind="prompt").count() == 2
    with_run = ModelVersion.objects.get(run_id=run_id)
    assert with_run.reported_metrics == {"auc": 0.75, "loss": 0.5}
    assert set(Alias.objects.values_list("model__name", "name", "version__number")) == {
        ("churn", "blue", 2)
    }
    assert "alias @champion of fraud" in {line["what"] for line in run.left_out}
    found: list[Any] = [
        json.loads(line) for line in looked.log.splitlines() if line.startswith("{")
    ]
    assert found == []


def test_the_stock_client_beside_a_real_tracking_server(
    house: House, tmp_path: Path, s3: str
) -> None:
    house.web()
    with mlflow_server.running(tmp_path) as url:
        said = tell(
            house,
            "artifacts",
            MLFLOW_TRACKING_URI=url,
            MLFLOW_S3_ENDPOINT_URL=s3,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_DEFAULT_REGION="us-east-1",
        )["artifacts"]

    assert said["model"] == said["run"] == [4, 6]
    assert said["s3"] == [8]
    assert said["logged"] == 3
