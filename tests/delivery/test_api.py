"""Gateways, routes and rollouts by REST."""

from __future__ import annotations

import pytest
from django.conf import settings

from audit.actions import Action
from delivery.models import Gateway, Route
from tests.factories import accounts
from tests.factories.delivery import GatewayFactory, RolloutFactory, RouteFactory
from tests.factories.registry import RegisteredModelFactory

pytestmark = pytest.mark.django_db
LISTS = ("gateways", "routes", "rollouts")


@pytest.fixture
def operator(api):
    return api("operator")


def test_a_gateway_is_registered_and_listed(operator, recorded_actions):
    body = {"name": "edge-1", "public_url": "http://127.0.0.1:8001/"}
    made = operator.post("/api/v1/gateways", body, format="json")

    assert made.status_code == 201, made.content
    assert made.json()["public_url"] == "http://127.0.0.1:8001"
    assert made.json()["revision"] == 1
    assert operator.get("/api/v1/gateways").json()["results"] == [made.json()]
    assert recorded_actions() == [Action.GATEWAY_CREATED]
    again = operator.post("/api/v1/gateways", body, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "gateway_exists")
    assert recorded_actions() == [Action.GATEWAY_CREATED]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Edge"}, "name"),
        ({"name": "-edge"}, "name"),
        ({"name": "e" * 64}, "name"),
        ({"name": "e" * 10_000_000}, "name"),
        ({"name": ""}, "name"),
        ({"name": "ed\nge"}, "name"),
        ({"name": None}, "name"),
        ({"public_url": "edge"}, "public_url"),
        ({"public_url": "javascript:alert(1)"}, "public_url"),
        ({"public_url": "http://" + "e" * 400}, "public_url"),
        ({"port": 1}, "port"),
    ],
)
def test_a_bad_gateway_is_refused_by_its_field(operator, change, field):
    body = {"name": "edge-1", "public_url": "http://127.0.0.1:8001", **change}
    answer = operator.post("/api/v1/gateways", body, format="json")
    is_read = len(str(body)) < settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    assert answer.status_code == (400 if is_read else 413)
    assert answer["Content-Type"] == "application/problem+json"
    if is_read:
        assert field in str(answer.json())
    assert not Gateway.objects.exists()


@pytest.fixture
def route_body(workspace):
    GatewayFactory(workspace=workspace, name="edge")
    RegisteredModelFactory(workspace=workspace, name="flights")
    return {
        "name": "flights", "gateway": "edge", "model": "flights", "environment": "production"
    }  # fmt: skip


def test_a_route_is_made_and_bumps_the_gateway(operator, route_body, recorded_actions):
    made = operator.post("/api/v1/routes", route_body, format="json")

    assert made.status_code == 201, made.content
    assert made.json()["url"] == "http://127.0.0.1:8001/flights/invocations"
    assert made.json()["targets"] == []
    assert Gateway.objects.get().revision == 2
    assert recorded_actions() == [Action.ROUTE_CREATED]
    nothing = operator.get("/api/v1/routes/flights/current")
    assert nothing.status_code == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"gateway": "nowhere"}, 404),
        ({"model": "nothing"}, 404),
        ({"environment": "moon"}, 404),
        ({"name": "a/b"}, 400),
        ({"timeout_ms": 5}, 400),
        ({"timeout_ms": "soon"}, 400),
        ({"weight": 3}, 400),
    ],
)
def test_a_bad_route_is_refused_and_nothing_is_made(operator, route_body, change, status):
    answer = operator.post("/api/v1/routes", {**route_body, **change}, format="json")

    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert not Route.objects.exists()
    assert Gateway.objects.get().revision == 1


def test_a_model_has_one_route_in_an_environment(operator, route_body):
    assert operator.post("/api/v1/routes", route_body, format="json").status_code == 201
    for change in ({}, {"name": "other"}):
        answer = operator.post("/api/v1/routes", {**route_body, **change}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "route_exists")


def test_what_a_route_serves_now(operator, stage):
    answer = operator.get("/api/v1/routes/flights/current")

    assert answer.status_code == 200
    assert answer.json()["version"] == 1
    assert answer.json()["release_digest"] == stage.v1.release_digest
    assert answer.json()["kind"] == "gateway"
    assert answer.json()["url"] == "http://127.0.0.1:8001/flights"
    again = operator.get(
        "/api/v1/routes/flights/current", headers={"if-none-match": answer["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_rollout_reads_whole(operator, stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    stage.look((10, 1), (30,))
    body = operator.get(f"/api/v1/rollouts/{stage.rollout.uid}").json()

    assert (body["from_version"], body["to_version"], body["state"]) == (1, 2, "running")
    assert [step["weight"] for step in body["steps"]] == [25, 50, 100]
    assert body["steps"][0]["latest"] == {
        "candidate": {"answers": 10, "errors": 1}, "stable": {"answers": 30, "errors": 0}
    }  # fmt: skip
    assert body["steps"][0]["verdict"] == "inconclusive yet: 40 answers to go"


def test_it_is_steered_by_rest(operator, stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    url = f"/api/v1/rollouts/{stage.rollout.uid}"

    assert operator.post(f"{url}/pause").status_code == 200
    stage.tick()
    assert operator.get(url).json()["state"] == "paused"
    assert operator.post(f"{url}/pause").status_code == 409
    assert operator.post(f"{url}/resume").json()["state"] == "running"
    assert operator.post(f"{url}/abort", {}, format="json").status_code == 400
    long = operator.post(f"{url}/abort", {"reason": "x" * 501}, format="json")
    assert long.status_code == 400
    assert stage.state == "running"
    assert operator.post(f"{url}/abort", {"reason": "enough"}, format="json").status_code == 200
    stage.tick()
    assert (stage.state, stage.rollout.reason) == ("rolling_back", "enough")
    stage.go_back()
    for act in ("abort", "rollback"):
        answer = operator.post(f"{url}/{act}", {"reason": "again"}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")


def test_another_workspaces_rollout_is_not_there(operator):
    other = RolloutFactory(route__gateway__workspace=accounts.WorkspaceFactory())
    assert operator.get(f"/api/v1/rollouts/{other.uid}").status_code == 404
    assert operator.post(f"/api/v1/rollouts/{other.uid}/pause").status_code == 404


@pytest.mark.parametrize("name", LISTS)
def test_a_list_makes_as_many_queries_for_twelve_as_for_two(api, workspace, name):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = api("viewer")
    counts = []
    for rows in (2, 10):
        for _ in range(rows):
            RolloutFactory(route__gateway__workspace=workspace)
        client.get(f"/api/v1/{name}")
        with CaptureQueriesContext(connection) as captured:
            found = client.get(f"/api/v1/{name}").json()["results"]
        counts.append(len(captured))
    assert len(found) == 12
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", LISTS)
def test_lists_show_only_the_callers_workspace(api, name):
    RouteFactory(gateway__workspace=accounts.WorkspaceFactory())
    RolloutFactory(route__gateway__workspace=accounts.WorkspaceFactory())
    assert api("viewer").get(f"/api/v1/{name}").json()["results"] == []
