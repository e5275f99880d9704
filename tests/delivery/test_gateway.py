"""Real Envoy, the real agent, the real site and a real worker: what callers see meanwhile."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from audit.actions import Action
from audit.models import Event
from delivery.agent import envoy_admin
from delivery.agent.apply import Applier, Refused
from delivery.models import Gateway, RouteTarget
from delivery.services import gateways
from delivery.xds.render import RouteConfig, Target, render
from embedded import envoy
from embedded.processes import free_port
from tests.delivery.town import Callers, ModelServer, Town, wait_until

pytestmark = pytest.mark.serial


@pytest.fixture
def town(house: Any) -> Iterator[Town]:
    made = Town(house)
    try:
        made.open()
        yield made
    finally:
        made.close()


def test_a_canary_goes_live_and_a_bad_one_comes_back_with_no_request_lost(town):
    house = town.house
    house.web()
    house.sealer()
    house.worker()
    agent = town.agent()
    first = town.approve(town.version())
    town.wait_state(first, "succeeded")
    assert (town.live, town.weights) == (1, {1: 100})
    house.wait("version 1 answers", lambda: town.served_versions() == {1})

    callers = town.call()
    second = town.approve(town.version())
    town.wait_state(second, "succeeded", timeout_s=90)
    assert (town.live, town.weights) == (2, {2: 100})
    assert town.served_versions() == {2}
    assert callers.failed == 0
    assert {label for _, label in callers.seen} == {"flights 1", "flights 2"}
    steps = list(second.steps.all())
    assert [step.state for step in steps] == ["passed"] * 3
    assert all(step.measured["candidate"]["answers"] >= 20 for step in steps)

    # The agent is killed and comes back: nobody notices, and the next rollout goes on.
    agent.kill()
    assert town.served_versions() == {2}
    town.agent()

    third = town.version()
    rollout = town.approve(third)
    town.servers[3].fails = False
    town.wait_state(rollout, "running", "succeeded")
    town.servers[3].fails = True
    assert town.wait_state(rollout, "rolled_back", timeout_s=90) == "rolled_back"
    assert (town.live, town.weights) == (2, {2: 100})
    assert town.served_versions() == {2}
    # Only the bad version's own answers were bad.
    assert {label for status, label in callers.seen if status != 200} <= {"flights 3"}

    # All of Countersign down, Envoy killed and started again: the last approved version answers.
    callers.stop()
    for process in house.processes:
        process.kill()
    running = envoy.status(house.var)
    os.kill(running.pid, signal.SIGKILL)
    wait_until(lambda: envoy.status(house.var) is None)
    town.start_envoy()
    assert town.served_versions() == {2}


@pytest.fixture
def applier(tmp_path: Any) -> Iterator[Applier]:
    """An Envoy of its own and an applier that feeds it; no Countersign anywhere."""
    listen, admin = free_port(), free_port()
    bootstrap = envoy.write_bootstrap(tmp_path, listen, admin)
    log = tmp_path / "envoy.log"
    envoy.start(bootstrap, tmp_path, log)
    made = Applier(envoy.gateway_dir(tmp_path), admin, log)
    made.listen_port, made.var = listen, tmp_path  # type: ignore[attr-defined]
    yield made
    envoy.stop(tmp_path)


@pytest.fixture
def servers() -> Iterator[list[ModelServer]]:
    made = [ModelServer(), ModelServer()]
    yield made
    for server in made:
        server.close()


def config(revision: int, *weights: tuple[str, int, int]) -> dict[str, Any]:
    """A configuration of the route ``r`` over (cluster, port, weight)."""
    targets = tuple(
        Target(name, f"r {name[-1]}", weight, "127.0.0.1", port, f"127.0.0.1:{port}", "/", False)
        for name, port, weight in weights
    )
    return render(revision, [RouteConfig("r", 2000, targets)])


def post(applier: Any) -> httpx.Response:
    body = {"dataframe_split": {"columns": ["x"], "data": [[1]]}}
    return httpx.post(f"http://127.0.0.1:{applier.listen_port}/r/invocations", json=body)


def test_weights_move_with_no_failed_request(applier, servers):
    ports = [server.port for server in servers]
    applier.apply(config(2, ("ep-1", ports[0], 100), ("ep-2", ports[1], 0)))
    callers = Callers(applier.listen_port, "r", per_second=300)
    for revision, weight in enumerate((10, 50, 90, 100, 0, 100), start=3):
        applier.apply(
            config(revision, ("ep-1", ports[0], 100 - weight), ("ep-2", ports[1], weight))
        )
        reading = envoy_admin.read(applier.admin_port)
        assert applier.applied_revision(reading) == revision
        wait_until(lambda: sum(callers.seen.values()) > 60)
    # The old cluster goes last, when nothing leads to it, and then the file and Envoy agree.
    applier.apply(config(20, ("ep-2", ports[1], 100)))
    callers.stop()

    assert callers.failed == 0
    assert all(server.served for server in servers)
    assert b"ep-1" not in (applier.folder / "cds.yaml").read_bytes()
    assert set(envoy_admin.read(applier.admin_port).clusters) == {"ep-2"}


def test_old_clusters_go_after_the_routes_that_led_to_them(applier, servers, monkeypatch):
    ports = [server.port for server in servers]
    applier.apply(config(2, ("ep-1", ports[0], 100)))
    written = []
    write = applier._write

    def note(name, content):
        clusters = {c.get("name") for c in json.loads(content)["resources"]}
        written.append((name, clusters & {"ep-1", "ep-2"}))
        write(name, content)

    monkeypatch.setattr(applier, "_write", note)
    applier.apply(config(3, ("ep-2", ports[1], 100)))
    assert written == [("cds.yaml", {"ep-1", "ep-2"}), ("rds.yaml", set()), ("cds.yaml", {"ep-2"})]


def test_a_bad_configuration_is_refused_and_a_restarted_envoy_serves_the_last_good_one(
    applier, servers
):
    good = config(2, ("ep-1", servers[0].port, 100))
    applier.apply(good)
    bad = config(3, ("ep-1", servers[0].port, 100))
    bad["rds"]["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]["weighted_clusters"][
        "clusters"
    ][0]["name"] = "nowhere"
    with pytest.raises(Refused, match="nowhere"):
        applier.apply(bad)

    assert post(applier).status_code == 200
    assert applier.applied_revision(envoy_admin.read(applier.admin_port)) == 2
    assert json.loads((applier.folder / "rds.yaml").read_text()) == good["rds"]
    os.kill(envoy.status(applier.var).pid, signal.SIGKILL)
    wait_until(lambda: envoy.status(applier.var) is None)
    envoy.start(envoy.bootstrap_path(applier.var), applier.var, applier.var / "envoy.log")
    assert post(applier).status_code == 200
    # And the next good one is taken.
    applier.apply(config(4, ("ep-1", servers[0].port, 100)))
    assert applier.applied_revision(envoy_admin.read(applier.admin_port)) == 4


def test_a_bad_cluster_is_refused_before_any_route_changes(applier, servers):
    applier.apply(config(2, ("ep-1", servers[0].port, 100)))
    bad = config(3, ("ep-2", servers[0].port, 100))
    endpoint = bad["cds"]["resources"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]
    endpoint["endpoint"]["address"]["socket_address"]["address"] = "a.name.to.resolve"
    with pytest.raises(Refused):
        applier.apply(bad)
    assert post(applier).headers["x-served-version"] == "r 1"
    assert json.loads((applier.folder / "cds.yaml").read_text())["version_info"] == "2"


def test_answers_that_never_came_are_bad_and_the_histogram_holds_the_others(applier, servers):
    """Envoy merges its histograms once in its flush interval (1 s): late, and then complete."""
    dead = free_port()
    applier.apply(config(2, ("ep-1", servers[0].port, 100), ("ep-2", dead, 0)))
    for _ in range(20):
        assert post(applier).status_code == 200
    servers[0].fails = True
    for _ in range(5):
        assert post(applier).status_code == 500
    applier.apply(config(3, ("ep-1", servers[0].port, 0), ("ep-2", dead, 100)))
    for _ in range(3):
        assert post(applier).status_code == 503

    def complete():
        found = envoy_admin.read(applier.admin_port).clusters
        one, two = found["ep-1"], found["ep-2"]
        return (
            (one["answers"], one["bad"], one["buckets"] and one["buckets"][-1][1]) == (25, 5, 25)
            and (two["answers"], two["bad"]) == (3, 3)
            and not (two["buckets"] and two["buckets"][-1][1])
        )

    wait_until(complete, timeout_s=5)


def test_a_refusal_reaches_the_trail(town):
    """The agent meets a configuration that Envoy does not take, and says so."""
    town.house.web()
    version = town.version()
    endpoint = version.endpoints.get()
    target = RouteTarget.objects.create(
        route=town.route, endpoint=endpoint, version=version, weight=100,
        address="127.0.0.1", port=town.servers[1].port, host="bad\nhost", path="/",
    )  # fmt: skip
    gateways.bump(town.gateway.pk)
    town.agent()
    town.house.wait(
        "the refusal is in", lambda: Gateway.objects.get().refused_revision, timeout_s=40
    )

    gateway = Gateway.objects.get()
    assert gateway.refused_reason
    assert gateway.applied_revision < gateway.revision
    assert Event.objects.filter(action=Action.GATEWAY_CONFIG_REFUSED).count() == 1
    target.host = "127.0.0.1"
    target.save(update_fields=["host"])
    wanted = gateways.bump(town.gateway.pk)
    town.house.wait(
        "the next one is taken", lambda: Gateway.objects.get().applied_revision == wanted
    )
    assert town.served_versions() == {1}
