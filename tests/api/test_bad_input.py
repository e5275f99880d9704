"""What every writing operation does with input that no caller means: a clear problem, no change.

The walk asks all operations with a JSON body, so a new one is asked as well. The cases that belong
to one kind of file or object are tested beside it: tables in tests/registry/test_{api,datasets}.py,
predictions for evidence in tests/evaluation/test_{api,computed}.py, rows of a monitor in
tests/monitoring/test_{api,ingest}.py, addresses and answers of endpoints in
tests/serving/test_{api,predict}.py, the ways to a closed address in tests/outbound/.
"""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.apps import apps

from audit.actions import Action
from registry.models import Dataset
from tests.api.conftest import api_schema, operations

pytestmark = pytest.mark.django_db

#: Written by the door, not by the operation: who signed in, which session, which caller.
OF_THE_DOOR = {"sessions", "axes"}
WRITING = ("post", "patch", "put")


def properties(method: str, path: str) -> dict[str, Any]:
    """The fields of the JSON body, none where the operation takes no JSON."""
    given = api_schema()["paths"][path][method].get("requestBody", {}).get("content", {})
    if "application/json" not in given:
        return {}
    schema = given["application/json"]["schema"]
    if "$ref" in schema:
        schema = api_schema()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return dict(schema.get("properties", {}))


def texts(method: str, path: str) -> list[str]:
    """Its fields of free text."""
    return [
        name
        for name, kind in properties(method, path).items()
        if kind.get("type") == "string" and "format" not in kind and "enum" not in kind
    ]


WITH_BODY = [it for it in operations(*WRITING) if properties(*it)]


def state() -> dict[str, int]:
    """How many rows each table has."""
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.app_label not in OF_THE_DOOR and model._meta.label != "accounts.Session"
    }


def test_the_walk_finds_the_operations():
    assert len(WITH_BODY) > 25
    assert "name" in texts("post", "/api/v1/models")


def bad_bodies(method: str, path: str) -> dict[str, tuple[bytes, str | None]]:
    """What is sent, by a word for it, and the field that the answer must name."""
    first = next(iter(properties(method, path)))
    cases: dict[str, tuple[bytes, str | None]] = {
        "unknown field": (b'{"nmae": 1}', "nmae"),
        "ten megabytes": (b'{"' + first.encode() + b'": "' + b"x" * 10_000_000 + b'"}', None),
        "cut": (b"{", None),
        "list": (b"[]", None),
        "null": (b"null", None),
        "text": (b'"text"', None),
        "nan": (b'{"name": NaN}', None),
        "infinite": (b'{"a": 1e999}', None),
        "no utf-8": (b"\xff\xfe", None),
        "deep": (b"[" * 50_000, None),
    }
    for name in texts(method, path):
        cases[f"a million characters of {name}"] = (_body(name, "x" * 1_000_000), name)
        cases[f"nul in {name}"] = (_body(name, "a\x00b"), None)
    return cases


def _body(name: str, value: str) -> bytes:
    return json.dumps({name: value}).encode()


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_bad_bodies_are_clear_problems_and_change_nothing(method, path, everybody):
    address = path.format(**everybody.objects(path))
    before = state()

    wrong = []
    for case, (raw, field) in bad_bodies(method, path).items():
        answer = everybody.client.generic(
            method.upper(), address, raw, content_type="application/json"
        )
        allowed = {400, 413} if case == "ten megabytes" else {400}
        if answer.status_code not in allowed:
            wrong.append(f"{case}: {answer.status_code}")
        elif (problem := _what_is_wrong(answer, field)) is not None:
            wrong.append(f"{case}: {problem}")

    assert wrong == []
    assert state() == before


def _what_is_wrong(answer: Any, field: str | None) -> str | None:
    """What a caller would miss in this problem."""
    if answer["Content-Type"] != "application/problem+json":
        return f"is {answer['Content-Type']}"
    if len(answer.content) > 20_000:
        return f"is {len(answer.content)} bytes long"
    problem = answer.json()
    if not (problem["code"] and problem["detail"] and problem["status"] == answer.status_code):
        return f"says {problem}"
    if field is not None and field not in problem.get("errors", {}):
        return f"does not name {field}"
    return None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PAR1" + b"x" * 100, "unreadable_parquet"),
        (b"\x80\x04\x95\x00\x00\x00", "unreadable"),
        (b"a,a\n1,2\n", "duplicate_columns"),
        (b"a,b\n1,2\n3\n", "unreadable_csv"),
    ],
)
def test_a_refused_table_is_a_problem_and_an_event(
    content, code, everybody, recorded_actions, settings, tmp_path
):
    default = {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": default}
    before = recorded_actions()

    answer = everybody.client.post(
        "/api/v1/datasets", {"name": "holdout", "file": io.BytesIO(content)}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert "file" in answer.json()["errors"]
    assert not Dataset.objects.exists()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert recorded_actions() == [*before, Action.DATASET_REFUSED]
