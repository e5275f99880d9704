"""The agent's two calls: who may, what it gets, what it may say."""

from __future__ import annotations

import json
import threading
import time

import pytest
from django.db import connection

from audit.actions import Action
from audit.models import Event
from delivery.models import Gateway
from delivery.services import gateways
from tests.factories import accounts
from tests.factories.delivery import GatewayFactory, RouteFactory, make_live
from tests.factories.registry import ModelVersionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def route(workspace):
    made = RouteFactory(gateway__workspace=workspace, name="flights")
    make_live(made, ModelVersionFactory(model=made.model))
    return made


@pytest.fixture
def agent(service_api):
    return service_api("operator", scopes=["gateway"])


def url(gateway, tail=""):
    return f"/xds/v1/gateways/{gateway.uid}{tail}"


def status(**change):
    return {
        "applied_revision": 1, "refused_revision": 0, "refused_reason": "",
        "counters": {"ep-1": {"answers": 3, "bad": 1, "buckets": [[0.5, 1], [3600000.0, 3]]}},
        **change,
    }  # fmt: skip


def test_it_gets_the_configuration_with_an_etag(agent, route):
    answer = agent.get(url(route.gateway))

    assert answer.status_code == 200
    assert answer["ETag"] == '"1"'
    target = route.targets.get()
    assert [c["name"] for c in answer.json()["cds"]["resources"]] == [target.cluster]
    again = agent.get(url(route.gateway), headers={"If-None-Match": '"1"'})
    assert (again.status_code, again["ETag"]) == (304, '"1"')
    gateways.bump(route.gateway_id)
    assert agent.get(url(route.gateway), headers={"If-None-Match": '"1"'}).json()["revision"] == 2


@pytest.mark.parametrize("known", ["", "x", '"-1"', '"' + "9" * 60 + '"', "*"])
def test_an_etag_that_is_none_of_ours_gets_everything(agent, route, known):
    answer = agent.get(url(route.gateway), headers={"If-None-Match": known})
    assert answer.status_code == 200


@pytest.mark.parametrize("wait", ["-1", "x", "1e9", ""])
def test_a_wait_that_is_no_number_is_no_wait(agent, route, wait):
    began = time.monotonic()
    agent.get(f"{url(route.gateway)}?wait={wait}", headers={"If-None-Match": '"1"'})
    assert time.monotonic() - began < 2


def test_another_gateways_targets_are_not_in_it(agent, route, workspace):
    other = GatewayFactory(workspace=workspace)
    assert agent.get(url(other)).json()["cds"]["resources"] == []


@pytest.mark.parametrize("scopes", [["read"], ["rollouts:write", "admin", "read"]])
def test_only_the_gateway_scope_opens_it(service_api, route, scopes):
    client = service_api("operator", scopes=scopes)
    assert client.get(url(route.gateway)).status_code == 403
    assert client.post(url(route.gateway, "/status"), status(), format="json").status_code == 403
    assert Gateway.objects.get().agent_seen_at is None


def test_a_session_does_not_open_it_even_for_an_operator(client_for, route):
    client = client_for("operator", "administrator")
    answer = client.get(url(route.gateway))
    assert (answer.status_code, answer.json()["code"]) == (403, "token_required")


def test_nobody_is_401(client, route):
    assert client.get(url(route.gateway)).status_code == 401


def test_the_gateway_scope_opens_nothing_else(agent, route):
    for path in ("/api/v1/gateways", "/api/v1/routes", "/api/v1/rollouts"):
        assert agent.get(path).status_code == 403


def test_another_workspaces_gateway_is_not_there(agent):
    other = GatewayFactory(workspace=accounts.WorkspaceFactory())
    assert agent.get(url(other)).status_code == 404
    assert agent.post(url(other, "/status"), status(), format="json").status_code == 404


def test_what_it_says_is_kept(agent, route):
    answer = agent.post(url(route.gateway, "/status"), status(), format="json")

    assert answer.status_code == 204
    gateway = Gateway.objects.get()
    assert gateway.applied_revision == 1
    assert gateway.counters["ep-1"]["answers"] == 3
    assert gateway.agent_seen_at is not None


def test_a_refusal_is_an_event_once(agent, route):
    for reason in ("no such cluster", "no such cluster", ""):
        said = status(applied_revision=0, refused_revision=1, refused_reason=reason)
        agent.post(url(route.gateway, "/status"), said, format="json")

    gateway = Gateway.objects.get()
    assert (gateway.refused_revision, gateway.refused_reason) == (1, "no such cluster")
    assert Event.objects.filter(action=Action.GATEWAY_CONFIG_REFUSED).count() == 1


def test_a_revision_that_was_never_asked_for_acknowledges_nothing(agent, route):
    said = status(applied_revision=99, refused_revision=98)
    agent.post(url(route.gateway, "/status"), said, format="json")
    gateway = Gateway.objects.get()
    assert (gateway.applied_revision, gateway.refused_revision) == (0, 0)


def counters(**change):
    return {"ep-1": {"answers": 3, "bad": 1, "buckets": [], **change}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        status(applied_revision=-1),
        status(applied_revision="one"),
        status(applied_revision=2**80),
        status(refused_reason="x" * 3000),
        status(extra=1),
        status(counters=[]),
        status(counters={"ep-1": 3}),
        status(counters={"x" * 200: counters()["ep-1"]}),
        status(counters={"": counters()["ep-1"]}),
        status(counters=counters(answers=-1)),
        status(counters=counters(answers=1.5)),
        status(counters=counters(answers=True)),
        status(counters=counters(answers=None)),
        status(counters=counters(bad=4)),
        status(counters=counters(buckets="many")),
        status(counters=counters(buckets=[[1]])),
        status(counters=counters(buckets=[["a", 1]])),
        status(counters=counters(buckets=[[1.0, -1]])),
        status(counters=counters(buckets=[[True, 1]])),
        status(counters=counters(buckets=[[1.0, 1]] * 101)),
        status(counters={f"ep-{n}": counters()["ep-1"] for n in range(2001)}),
    ],
)
def test_what_is_not_of_the_agreed_form_is_400_and_kept_nowhere(agent, route, body):
    answer = agent.post(url(route.gateway, "/status"), body, format="json")

    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    gateway = Gateway.objects.get()
    assert (gateway.applied_revision, gateway.counters) == (0, {})


@pytest.mark.parametrize("raw", ["{", "NaN", '{"applied_revision": NaN}', "\x00"])
def test_what_is_no_json_is_400(agent, route, raw):
    answer = agent.post(url(route.gateway, "/status"), raw, content_type="application/json")
    assert answer.status_code == 400


def test_infinity_in_a_bucket_is_refused(agent, route):
    raw = json.dumps(status(counters=counters(buckets=[[1.0, 1]]))).replace("1.0", "1e999")
    answer = agent.post(url(route.gateway, "/status"), raw, content_type="application/json")
    assert answer.status_code == 400


def test_without_a_seat_it_does_not_wait(route, monkeypatch):
    monkeypatch.setattr(gateways, "_seats", threading.BoundedSemaphore(1))
    with gateways._seats:
        began = time.monotonic()
        assert gateways.wait_for_change(route.gateway, 1, wait_s=20) is False
        assert time.monotonic() - began < 1
    assert gateways.wait_for_change(route.gateway, 1, wait_s=0.3) is False


@pytest.mark.django_db(transaction=True)
@pytest.mark.serial
def test_a_waiting_agent_holds_no_connection_and_hears_at_once(monkeypatch):
    gateway = GatewayFactory()
    held = []
    sleep = time.sleep

    def watched(seconds):
        held.append(connection.connection is not None)
        if len(held) == 2:
            change = threading.Thread(target=_bump, args=(gateway.pk,))
            change.start()
            change.join()
        sleep(seconds)

    monkeypatch.setattr(gateways.time, "sleep", watched)
    began = time.monotonic()
    assert gateways.wait_for_change(gateway, 1, wait_s=20) is True
    assert time.monotonic() - began < 5
    assert held
    assert not any(held)


def _bump(pk):
    try:
        gateways.bump(pk)
    finally:
        connection.close()
