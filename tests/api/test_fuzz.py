"""No operation answers 5xx, whatever is sent: data that fits the schema, and data that does not.

Deterministic and bounded: the same few requests per operation on each run, so that a red test is
the commit's doing. ``FUZZ_EXAMPLES=200`` looks longer.
"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import quote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.api.conftest import api_schema, operations, undone

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
BASE = "http://testserver"


def _without_security(schema: dict[str, Any]) -> dict[str, Any]:
    """Else tokens and cookies are made up too, and all that answers is the door."""
    paths = {
        path: {
            method: {k: v for k, v in operation.items() if k != "security"}
            for method, operation in item.items()
        }
        for path, item in schema["paths"].items()
    }
    components = {k: v for k, v in schema["components"].items() if k != "securitySchemes"}
    return {**schema, "paths": paths, "components": components}


PROFILE = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SCHEMA = schemathesis.openapi.from_dict(_without_security(api_schema()))


@schemathesis.serializer("application/x-ndjson", "application/vnd.apache.parquet")
def rows_of_a_monitor(context: Any, value: Any) -> bytes:
    """Rows come as bytes; a value that is none is sent as its text."""
    return bytes(value) if isinstance(value, (bytes, bytearray)) else str(value).encode()


def _strategy(method: str, path: str) -> Any:
    operation = SCHEMA[path][method.upper()]
    kinds = []
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        kinds.append(operation.as_strategy(generation_mode=mode))
    return st.one_of(kinds)


def _prepared(case: Any, kwargs: dict[str, Any]) -> requests.PreparedRequest:
    """The request with the address of a real object, so that more than the router is asked."""
    given_kwargs = case.as_transport_kwargs(base_url=BASE)
    address = re.sub(r"\{(\w+)\}", lambda m: quote(str(kwargs[m[1]]), safe=""), case.path)
    if kwargs:
        given_kwargs["url"] = f"{BASE}{address}"
    params = given_kwargs.get("params")
    if isinstance(params, dict) and "wait" in params:
        given_kwargs["params"] = {**params, "wait": 0}  # it would be waited for
    allowed = {"method", "url", "params", "headers", "data", "json", "files", "cookies"}
    return requests.Request(**{k: v for k, v in given_kwargs.items() if k in allowed}).prepare()


@pytest.mark.parametrize(("method", "path"), operations(), ids=lambda it: str(it))
def test_no_server_error(method, path, everybody):
    kwargs = dict(everybody.objects(path))
    client = everybody.client
    client.raise_request_exception = True  # the traceback of a bug, not a page about it

    @PROFILE
    @given(case=_strategy(method, path))
    def ask(case: Any) -> None:
        prepared = _prepared(case, kwargs)
        body = prepared.body or b""
        headers = {str(k): str(v) for k, v in prepared.headers.items()}
        content_type = headers.pop("Content-Type", "application/json")
        headers.pop("Content-Length", None)
        with undone():
            response = client.generic(
                str(prepared.method),
                prepared.url.removeprefix(BASE),
                body,
                content_type=content_type,
                headers=headers,
            )
            if response.streaming:
                b"".join(response.streaming_content)
        assert response.status_code < 500
        assert response.status_code != 401, "the door answered, not the operation"

    ask()
