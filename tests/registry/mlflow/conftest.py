"""A token's holder speaks MLflow's API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

PREFIX = "/api/2.0/mlflow/"


class Mlflow:
    """``call("POST", "registered-models/create", name="m")``: status and body of the answer."""

    def __init__(self, client: Any, prefix: str = PREFIX) -> None:
        self.client = client
        self.prefix = prefix

    def call(self, method: str, path: str, /, **given: Any) -> tuple[int, Any]:
        ask = getattr(self.client, method.lower())
        url = self.prefix + path
        if method == "GET":
            response = ask(url, given)
        else:
            response = ask(url, json.dumps(given), content_type="application/json")
        assert response["Content-Type"] == "application/json"
        return response.status_code, response.json()

    def ok(self, method: str, path: str, /, **given: Any) -> Any:
        status, body = self.call(method, path, **given)
        assert status == 200, body
        return body

    def refused(self, method: str, path: str, /, **given: Any) -> tuple[int, str, str]:
        status, body = self.call(method, path, **given)
        assert status != 200, body
        return status, body["error_code"], body["message"]

    def model(self, name: str = "credit", **given: Any) -> Any:
        return self.ok("POST", "registered-models/create", name=name, **given)["registered_model"]

    def version(self, name: str = "credit", source: str = "s3://b/m", **given: Any) -> Any:
        body = self.ok("POST", "model-versions/create", name=name, source=source, **given)
        return body["model_version"]


@pytest.fixture
def mlflow(service_api: Callable[..., Any]) -> Mlflow:
    """A pipeline's service account, of an owner of models."""
    return Mlflow(service_api("model_owner", name="ci-bot"))


@pytest.fixture
def reader(api: Callable[..., Any]) -> Mlflow:
    """A person who may only read."""
    return Mlflow(api("viewer"))
