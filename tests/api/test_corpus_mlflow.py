"""Every string parameter of the MLflow contract against the corpus, as its client would send it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.api.conftest import undone
from tests.corpus import EVERYTHING
from tests.factories.registry import AliasFactory, ModelVersionFactory
from tests.opened import outside, watched

pytestmark = pytest.mark.django_db
STEP = 7
MODEL = {"name": "scoring"}
VERSION = {"name": "scoring", "version": "1"}
TAG = {"key": "k", "value": "v"}
WEBHOOK = {
    "name": "hook",
    "url": "https://example.org/hook",
    "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
    "description": "d",
    "secret": "a-secret-of-some-length",
}

#: Method, path, parameters of a call that is in order.
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "registered-models/create", {"name": "new", "description": "d", "tags": [TAG]}),
    ("GET", "registered-models/get", MODEL),
    ("PATCH", "registered-models/update", {**MODEL, "description": "d"}),
    ("POST", "registered-models/rename", {**MODEL, "new_name": "other"}),
    ("DELETE", "registered-models/delete", MODEL),
    ("GET", "registered-models/search", {"filter": "name = 'a'", "page_token": "x"}),
    ("GET", "registered-models/search", {"order_by": "name ASC"}),
    ("POST", "registered-models/get-latest-versions", {**MODEL, "stages": ["None"]}),
    ("POST", "registered-models/set-tag", {**MODEL, **TAG}),
    ("DELETE", "registered-models/delete-tag", {**MODEL, "key": "k"}),
    ("POST", "registered-models/alias", {**VERSION, "alias": "a"}),
    ("GET", "registered-models/alias", {**MODEL, "alias": "challenger"}),
    ("DELETE", "registered-models/alias", {**MODEL, "alias": "challenger"}),
    (
        "POST",
        "model-versions/create",
        {
            **MODEL,
            "source": "s3://b/x",
            "run_id": "r",
            "run_link": "l",
            "description": "d",
            "model_id": "m-1",
            "tags": [TAG],
        },
    ),
    ("GET", "model-versions/get", VERSION),
    ("PATCH", "model-versions/update", {**VERSION, "description": "d"}),
    ("DELETE", "model-versions/delete", VERSION),
    (
        "POST",
        "model-versions/transition-stage",
        {**VERSION, "stage": "Staging", "archive_existing_versions": False},
    ),
    ("GET", "model-versions/search", {"filter": "name = 'a'", "page_token": "x"}),
    ("GET", "model-versions/search", {"order_by": "name ASC"}),
    ("GET", "model-versions/get-download-uri", VERSION),
    ("POST", "model-versions/set-tag", {**VERSION, **TAG}),
    ("DELETE", "model-versions/delete-tag", {**VERSION, "key": "k"}),
    ("POST", "webhooks", WEBHOOK),
    ("GET", "webhooks", {"page_token": "x"}),
]


@pytest.fixture
def client(workspace: Any, api: Any) -> Any:
    version = ModelVersionFactory(model__workspace=workspace, model__name="scoring", number=1)
    AliasFactory(version=version, model=version.model, name="challenger")
    return api("administrator", "model_owner")


def _places(values: dict[str, Any]) -> list[tuple[str | int, ...]]:
    found: list[tuple[str | int, ...]] = []
    for name, value in values.items():
        if isinstance(value, str):
            found.append((name,))
        elif isinstance(value, list):
            inner = value[0]
            found += [(name, 0)] if isinstance(inner, str) else [(name, 0, key) for key in inner]
    return found


def _with(values: dict[str, Any], place: tuple[str | int, ...], text: str) -> dict[str, Any]:
    copy: Any = json.loads(json.dumps(values))
    holder = copy
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = text
    return dict(copy)


@pytest.mark.parametrize(
    ("method", "path", "values"), CALLS, ids=[f"{m} {p} {','.join(v)}" for m, p, v in CALLS]
)
def test_no_parameter_is_a_path(method, path, values, client):
    address = f"/api/2.0/mlflow/{path}"
    wrong = []
    for turn, place in enumerate(_places(values)):
        for text in EVERYTHING[turn % STEP :: STEP]:
            sent = _with(values, place, text)
            with undone(), watched() as opened:
                if method == "GET":
                    answer = client.get(f"{address}?{urlencode(sent)}")
                else:
                    answer = client.generic(
                        method, address, json.dumps(sent), content_type="application/json"
                    )
            body = answer.json()
            if answer.status_code >= 500 or (
                answer.status_code >= 400 and "error_code" not in body
            ):
                wrong.append(f"{place} {text!r}: {answer.status_code} {body}")
            if b"root:x:0" in answer.content or outside(opened):
                wrong.append(f"{place} {text!r} opened {outside(opened)}")
    assert wrong == []


def test_an_ordinary_call_of_each_kind_is_let_in(client):
    """Else the corpus would only knock at the door."""
    statuses = {}
    for method, path, values in CALLS:
        with undone():
            answer = client.generic(
                method,
                f"/api/2.0/mlflow/{path}" + (f"?{urlencode(values)}" if method == "GET" else ""),
                "" if method == "GET" else json.dumps(values),
                content_type="application/json",
            )
        statuses[f"{method} {path} {sorted(values)}"] = answer.status_code
    refused = {name for name, status in statuses.items() if status != 200}
    # A page token that nobody gave, and a host that no allow-list names.
    assert all("page_token" in name or "webhooks" in name for name in refused), statuses
