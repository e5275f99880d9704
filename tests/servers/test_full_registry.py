"""The same calls to MLflow's own registry and to ours: what differs is known, and why.

``AGREED`` is the record: a call that differs without standing there fails the test, and so does
one that stands there and no longer differs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import mlflow_server
from tests.servers.registry_agreed import AGREED
from tests.servers.registry_calls import Call, all_calls

pytestmark = pytest.mark.serial
#: What has no meaning beyond its server, or is ours to add (docs: governance, user_id, aliases).
_OWN = {
    *("creation_timestamp", "last_updated_timestamp", "user_id", "governance", "model_metrics"),
    *("workspace", "deployment_job_state"),
}


@pytest.mark.timeout(600)
def test_every_call_is_answered_alike_but_where_we_agreed(house: Any, tmp_path: Path) -> None:
    house.web()
    ours = house.bearer(house.person("administrator", "model_owner"))
    ours.base_url = f"{house.url}/api/2.0/mlflow/"
    differing: dict[str, str] = {}
    with (
        mlflow_server.running(tmp_path) as url,
        httpx.Client(base_url=f"{url}/api/2.0/mlflow/", timeout=30) as theirs,
    ):
        calls = all_calls()
        for call in calls:
            expected, got = answer(theirs, call), answer(ours, call)
            if expected != got:
                differing[written(call)] = f"MLflow: {expected}\nours:   {got}"
    unknown = {call: what for call, what in differing.items() if call not in AGREED}
    gone = [call for call in AGREED if call not in differing]

    assert len(calls) > 400
    assert not unknown, "\n".join(f"{call}\n{what}" for call, what in unknown.items())
    assert not gone, gone


def answer(client: httpx.Client, call: Call) -> Any:
    """Status and content, without what may differ from server to server."""
    method, path, parameters = call
    if method == "PAGES":
        return pages(client, path, parameters)
    if method == "GET":
        response = client.get(path, params=parameters)
    else:
        response = client.request(method, path, json=parameters)
    if response.status_code != 200:
        return response.status_code, error_code(response)
    return response.status_code, plain(response.json())


def error_code(response: httpx.Response) -> str:
    """MLflow answers some wrong bodies with a page of HTML."""
    if response.headers.get("content-type", "").startswith("application/json"):
        return str(response.json().get("error_code"))
    return "no JSON"


def pages(client: httpx.Client, path: str, parameters: dict[str, Any]) -> Any:
    found: list[Any] = []
    token = ""
    for _ in range(50):
        response = client.get(
            path, params={**parameters, **({"page_token": token} if token else {})}
        )
        if response.status_code != 200:
            return response.status_code, error_code(response)
        body = response.json()
        token = body.pop("next_page_token", "")
        found.append(plain(body))
        if not token:
            return found
    raise AssertionError(f"{path} has pages without end")


def plain(value: Any, key: str = "") -> Any:
    """Without our own keys and without what is empty: a missing list is an empty one."""
    if isinstance(value, dict):
        cleaned = {name: plain(it, name) for name, it in value.items() if name not in _OWN}
        if "next_page_token" in cleaned:
            cleaned["next_page_token"] = "another page"
        if "version" in cleaned and "name" in cleaned:
            cleaned.pop("aliases", None)  # MLflow leaves them empty in searches
        return {name: it for name, it in cleaned.items() if it not in ("", [], None, {})}
    if isinstance(value, list):
        rendered = [plain(it, key) for it in value]
        if key in ("tags", "aliases", "latest_versions"):
            return sorted(rendered, key=lambda it: json.dumps(it, sort_keys=True))
        return rendered
    return value


def written(call: Call) -> str:
    """A call as a line: the key in ``AGREED``."""
    return f"{call[0]} {call[1]} {json.dumps(call[2], sort_keys=True, ensure_ascii=False)}"
