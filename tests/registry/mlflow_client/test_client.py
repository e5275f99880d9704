"""The stock client, unchanged, against the site as it is served."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from registry.models import ModelVersion
from tests.factories import accounts
from tests.processes import House
from tests.trail import recorded_actions

pytestmark = pytest.mark.serial
STORY = Path(__file__).with_name("story.py")


@pytest.fixture
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def tell(house: House, *chapters: str, path: str = "", **environment: str) -> dict[str, Any]:
    """Run the story as a service account's pipeline would."""
    owner = house.person("model_owner", email="ada@example.org")
    service = accounts.ServiceAccountFactory(
        workspace=house.workspace(), name="ci-bot", responsible=owner
    )
    _, text = accounts.token(house.workspace(), service_account=service)
    home = house.var / "client"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, str(STORY), *chapters],
        cwd=home,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "MLFLOW_TRACKING_URI": f"file://{home}/tracking",
            "MLFLOW_REGISTRY_URI": house.url.replace("://", f"://ci-bot:{text}@") + path,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ALLOW_FILE_STORE": "true",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # a fault of ours should not wait for minutes
            "GIT_PYTHON_REFRESH": "quiet",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-4000:] + house.logs()
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_a_pipeline_registers_names_searches_and_is_told_what_it_may_not(house: House) -> None:
    house.web()

    said = tell(house, "registry", "protected", "prompts")

    registry = said["registry"]
    assert registry["created"] == ["churn", {"team": "crm"}, "Who leaves.", True]
    assert registry["registered"] == ["churn", "4", "READY", "s3://bucket/churn/4"]
    assert registry["alias"] == ["3", ["blue"], {"half": "odd"}]
    assert registry["stages"] == ["Production", "Archived", ["2"]]
    assert registry["renamed"] == "Who stays."
    assert registry["copied"] == ["copies", "1", "models:/churn/1", "s3://bucket/churn/1"]
    assert registry["model"] == [{"team": "crm", "k": "v"}, {"blue": "3"}]
    assert registry["pages"] == [["1", "2", "3"], ["4"]]
    assert registry["odd"] == ["1", "3"]
    assert registry["aliases_in_search"] == [["3", ["blue"]]]
    assert registry["models"] == ["churn", "copies"]
    assert registry["filtered"] == ["churn"]
    assert registry["everything"] == 2
    assert registry["left"] == ["1", "2", "3"]
    assert [code for code, _ in registry["errors"]] == [
        "RESOURCE_DOES_NOT_EXIST",
        "INVALID_PARAMETER_VALUE",
        "RESOURCE_ALREADY_EXISTS",
        "INVALID_PARAMETER_VALUE",
    ]
    code, message = said["protected"]["error"]
    assert code == "PERMISSION_DENIED"
    assert "only an approved promotion moves it" in message
    assert said["protected"]["seconds"] < 5
    assert said["prompts"] == {
        "registered": ["greeting", 1],
        "loaded": "Good day, Ada!",
        "by_alias": "Hello {{name}}!",
        "found": ["greeting"],
        "models": [],
    }
    version = ModelVersion.objects.get(model__name="churn", number=1)
    assert version.created_through is not None
    assert version.created_through.name == "ci-bot"
    actions = set(recorded_actions())
    assert {
        *("model.created", "version.registered", "alias.moved", "alias.move_refused"),
        *("version.stage_changed", "model.renamed", "version.deleted", "model.deleted"),
    } <= actions


def test_models_load_by_alias_from_where_their_files_are(house: House, s3: str) -> None:
    house.web()

    said = tell(
        house,
        "artifacts",
        path="/w/acme",  # the workspace in the address, as two registries of one house have it
        MLFLOW_S3_ENDPOINT_URL=s3,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="us-east-1",
    )["artifacts"]

    assert said["model"] == said["run"] == [4, 6]
    assert said["s3"] == [8]
    assert said["sources"] == ["models:/m-", "models:/m-"]
    assert said["run_ids"] == [False, True]  # the client sends none with models:/m-…
    assert said["logged"] == 3
