"""Whatever stands in a field of the six calls: a refusal in MLflow's JSON, never a 5xx or a row."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from registry.models import Webhook
from tests.factories import accounts
from tests.factories.registry_webhooks import WebhookFactory

pytestmark = pytest.mark.django_db

EVENT = {"entity": "MODEL_VERSION", "action": "CREATED"}
ODD = [
    7,
    True,
    [],
    {},
    ["x"],
    {"a": 1},
    "\x00",
    "\ud800",
    "x" * 300_000,
    "../../etc/passwd",
    "‮http://a",
    1e308,
    10**40,
]
EVENTS = [
    *ODD,
    [7],
    [None],
    [{}],
    [{"entity": 1, "action": 2}],
    [{"entity": "MODEL_VERSION"}],
    [{"entity": "MODEL_VERSION", "action": "\ud800"}],
    [{"entity": "MODEL_VERSION", "action": ["CREATED"]}],
    [EVENT] * 200,
    "MODEL_VERSION.CREATED",
]


@pytest.fixture
def call(workspace, person):
    _, token = accounts.token(workspace, user=person("administrator"))
    client = Client(raise_request_exception=False)

    def send(method, path="", content=None, raw=None):
        return client.generic(
            method,
            f"/api/2.0/mlflow/webhooks{path}",
            raw if raw is not None else json.dumps(content),
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )

    return send


def refused(answer):
    assert 400 <= answer.status_code < 500, answer.content
    assert answer.json()["error_code"]
    return True


def test_every_field_of_create(call):
    good = {"name": "bot", "url": "http://10.0.0.1/", "events": [EVENT]}
    for field in ("name", "url", "description", "secret", "status"):
        for value in ODD:
            if not (field in ("description", "secret") and value == "x" * 300_000):
                refused(call("POST", content={**good, field: value}))
    for value in EVENTS:
        refused(call("POST", content={**good, "events": value}))
    for raw in (b"", b"[]", b"{", b"\xff", b'"x"', b"[" * 100_000, b"NaN"):
        refused(call("POST", raw=raw))
    assert not Webhook.objects.exists()


def test_every_field_of_update_and_test(call, workspace):
    webhook = WebhookFactory(workspace=workspace)
    for field in ("name", "url", "status"):
        for value in ODD:
            refused(call("PATCH", f"/{webhook.uid}", {field: value}))
    for value in EVENTS:
        if value not in ([], {}):  # a client sends nothing so, and nothing is changed
            refused(call("PATCH", f"/{webhook.uid}", {"events": value}))
        refused(call("POST", f"/{webhook.uid}/test", {"event": value}))
    untouched = Webhook.objects.get()
    assert (untouched.name, untouched.url) == (webhook.name, webhook.url)


@pytest.mark.parametrize("uid", ["x", "0", "%00", "-1", "٣" * 32, "x" * 2000, "{}", "null"])
def test_an_id_that_is_none(call, uid):
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test")):
        assert refused(call(method, f"/{uid}{path}", {}))


@pytest.mark.parametrize(
    "query",
    [
        "max_results=0",
        "max_results=x",
        "max_results=1e9",
        "page_token=%00",
        "page_token=" + "W" * 9000,
    ],
)
def test_a_page_that_is_none(call, query):
    assert refused(call("GET", f"?{query}", raw=b""))
