"""``kill -9`` of the rollout's worker at random moments: at rest gateway, registry and trail agree.

Everything is real but the load: Envoy, agent, site, sealer, approvals, the worker's process. The
moments are random; the seed is in the failure's message.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from audit.actions import Action
from audit.models import Event
from delivery.models import Gateway, Rollout
from governance.models import PromotionRequest
from jobs.models import Job
from registry.models import Alias
from tests.delivery.town import Town, wait_until
from tests.processes import ROOT

pytestmark = [pytest.mark.serial, pytest.mark.timeout(280)]

KILLS = 20
BUDGET_S = 140.0


class Workers:
    """Worker processes from a parent that is set up already."""

    def __init__(self, house: Any) -> None:
        self.log = (house.var / "logs" / "rollout-workers.log").open("ab")
        self.parent = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.rollout_worker"],
            cwd=ROOT,
            env=house.env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            start_new_session=True,
        )
        self.pids: list[int] = []

    def start(self) -> None:
        self.parent.stdin.write("fork\n")
        self.parent.stdin.flush()
        self.pids.append(int(self.parent.stdout.readline()))

    def kill(self) -> None:
        """``kill -9`` of the one that was started last."""
        os.kill(self.pids.pop(), signal.SIGKILL)

    def close(self) -> None:
        while self.pids:
            self.kill()
        self.parent.stdin.close()
        self.parent.wait(10)
        self.parent.stdout.close()
        self.log.close()


@pytest.fixture
def town(house: Any) -> Iterator[Town]:
    made = Town(house, steps="50%, 100%", min_answers=10)
    workers = None
    try:
        made.open()
        house.web()
        house.sealer()
        made.agent()
        made.workers = workers = Workers(house)  # type: ignore[attr-defined]
        yield made
    finally:
        if workers is not None:
            workers.close()
        made.close()


def agree(town: Town, rollout: Rollout, seed: int) -> None:
    """What RELIABILITY 4.3 asks of a rollout at rest."""
    rollout.refresh_from_db()
    why = f"seed {seed}, rollout {rollout.to_version.number}: {rollout.state}, {rollout.reason}"
    told = list(
        Event.objects.filter(object_type="rollout", object_id=str(rollout.uid)).values_list(
            "action", flat=True
        )
    )
    ends = {
        Action.ROLLOUT_SUCCEEDED: told.count(Action.ROLLOUT_SUCCEEDED),
        Action.ROLLOUT_ROLLED_BACK: told.count(Action.ROLLOUT_ROLLED_BACK),
    }
    moves = Alias.objects.filter(reference=f"rollout:{rollout.uid}").count()
    to, before = rollout.to_version, rollout.from_version
    at_rest = to if rollout.state == "succeeded" else before
    if rollout.state == "succeeded":
        assert ends == {Action.ROLLOUT_SUCCEEDED: 1, Action.ROLLOUT_ROLLED_BACK: 0}, why
        assert moves == 1, why
    else:
        assert rollout.state in {"rolled_back", "failed"}, why
        assert ends == {Action.ROLLOUT_SUCCEEDED: 0, Action.ROLLOUT_ROLLED_BACK: 1}, why
        assert moves == 0, why
    assert town.live == at_rest.number, why
    assert town.weights == {at_rest.number: 100}, why
    for index in range(rollout.steps.count()):
        intended = Event.objects.filter(
            object_id=str(rollout.uid),
            action=Action.ROLLOUT_STEP_INTENDED,
            body__contains=f'"step":{index + 1},',
        ).count()
        assert intended <= 1, why  # a step that was resumed is not begun again
    gateway = Gateway.objects.get()
    wait_until(lambda: Gateway.objects.get().applied_revision == gateway.revision)
    assert town.served_versions() == {at_rest.number}, why
    approval = PromotionRequest.objects.get(rollout_uid=rollout.uid)
    expected = {"succeeded": "carried_out", "rolled_back": "rolled_back", "failed": "approved"}
    assert approval.status == expected[rollout.state], why


def test_a_killed_rollout_worker_leaves_gateway_registry_and_trail_in_agreement(town):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    workers = town.workers
    workers.start()
    first = town.approve(town.version())
    town.wait_state(first, "succeeded")
    agree(town, first, seed)
    callers = town.call(per_second=40)

    began, kills, rounds, outcomes = time.monotonic(), 0, 0, []
    while kills < KILLS:
        assert time.monotonic() - began < BUDGET_S, f"seed {seed}: only {kills} kills"
        version = town.version()
        rollout = town.approve(version)
        is_bad = rounds % 3 == 1
        to_abort = rounds % 3 == 2
        rounds += 1
        while True:
            claims = Job.objects.values_list("claims", flat=True).get(pk=rollout.job_id)
            time.sleep(chance.uniform(0.05, 1.0))
            rollout.refresh_from_db()
            if rollout.is_at_rest:
                break
            if is_bad and rollout.steps.filter(state="running").exists():
                town.servers[version.number].fails = True
            if to_abort and rollout.state == "running" and chance.random() < 0.4:
                town.abort(rollout)
                to_abort = False
                time.sleep(chance.uniform(0.0, 0.4))
            if kills < KILLS:
                workers.kill()
                kills += 1
                workers.start()
                # The next worker takes over when the lease of the dead one is over.
                wait_until(partial(_taken_over, rollout, claims), timeout_s=15)
        agree(town, rollout, seed)
        outcomes.append(rollout.state)

    assert "succeeded" in outcomes
    assert "rolled_back" in outcomes
    bad = {label for status, label in callers.seen if status != 200}
    assert all(isinstance(status, int) for status, _ in callers.seen), callers.seen
    assert "flights 1" not in bad
    assert town.house.manage("audit_verify", role="owner")


def test_a_worker_that_sleeps_past_its_lease_writes_nothing_when_it_wakes(town):
    """SIGSTOP, another takes over after the lease of 2 s, SIGCONT: the fence stops the zombie."""
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    workers = town.workers
    workers.start()
    first = town.approve(town.version())
    town.wait_state(first, "succeeded")
    town.call(per_second=30)
    rollout = town.approve(town.version())

    for _ in range(3):
        time.sleep(chance.uniform(0.2, 1.0))
        claims = Job.objects.values_list("claims", flat=True).get(pk=rollout.job_id)
        sleeper = workers.pids[-1]
        os.kill(sleeper, signal.SIGSTOP)
        workers.start()
        # Stopped inside a transaction it keeps its row, and nobody can take over until it wakes.
        with contextlib.suppress(AssertionError):
            wait_until(partial(_taken_over, rollout, claims), timeout_s=6)
        os.kill(sleeper, signal.SIGCONT)

    town.wait_state(rollout, "succeeded")
    agree(town, rollout, seed)


def _taken_over(rollout: Rollout, claims: int) -> bool:
    rollout.refresh_from_db()
    return rollout.is_at_rest or Job.objects.get(pk=rollout.job_id).claims > claims
