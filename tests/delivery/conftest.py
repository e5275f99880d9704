"""A route on a gateway whose agent and callers are played by the test, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from accounts.callers import Caller
from audit.services.seal import seal_once
from delivery import ports
from delivery.models import Gateway, Rollout
from delivery.plan import parse
from delivery.services import advance, gateways, rollouts
from jobs.services.claim import Claim, claim_job
from registry import ports as registry_ports
from registry import selectors as registry
from tests.factories import delivery as make
from tests.factories.registry import ModelVersionFactory
from tests.factories.serving import EndpointFactory


@dataclass
class Stage:
    """One route, two versions, and everything that a rollout meets.

    ``answers`` are the callers' requests so far, per version: (answers, bad, slow).
    """

    workspace: Any
    authority: make.FakeAuthority
    guard: make.FakeGuard
    route: Any
    v1: Any
    v2: Any
    answers: dict[int, list[int]] = field(default_factory=dict)
    rollout: Any = None
    claim: Claim | None = None

    @property
    def caller(self) -> Caller:
        return Caller.system("tests", self.workspace)

    def start(self, version: Any = None, reference: str = "promotion:1", **plan: Any) -> Rollout:
        self.rollout = rollouts.start(
            caller=self.caller,
            reference=reference,
            model=self.route.model,
            environment=self.route.environment,
            to_version=version or self.v2,
            plan=parse({**make.PLAN, **plan}),
        )
        self.take_claim()
        return self.rollout

    def take_claim(self) -> Claim:
        """A new claim of the rollout's job, whoever held it."""
        from jobs.models import Job

        self.rollout.refresh_from_db()
        Job.objects.filter(pk=self.rollout.job_id, state="running").update(state="queued")
        self.claim = claim_job(self.rollout.job.uid)
        assert self.claim is not None
        return self.claim

    def preflight(self) -> None:
        advance.preflight(self.rollout, self.claim, self.caller)
        self.rollout.refresh_from_db()

    def tick(self, times: int = 1) -> Rollout:
        for _ in range(times):
            advance.tick(self.rollout.pk, self.claim, self.caller)
        self.rollout.refresh_from_db()
        return self.rollout

    def serve(self, version: Any, answers: int, bad: int = 0, slow: int = 0) -> None:
        """Callers get ``answers`` more from this version; told at the next ``report``."""
        seen = self.answers.setdefault(version.pk, [0, 0, 0])
        self.answers[version.pk] = [a + b for a, b in zip(seen, (answers, bad, slow), strict=True)]

    def counters(self) -> dict[str, Any]:
        found = {}
        for target in self.route.targets.select_related("route", "endpoint"):
            answers, bad, slow = self.answers.get(target.version_id, [0, 0, 0])
            found[target.cluster] = {
                "answers": answers,
                "bad": bad,
                "buckets": [[100.0, answers - slow], [250.0, answers - slow], [1000.0, answers]],
            }
        return found

    def report(self, *, applied: int | None = None, refused: int = 0, reason: str = "") -> None:
        """The agent posts; it has applied the present revision unless told otherwise."""
        gateway = Gateway.objects.get(pk=self.route.gateway_id)
        gateways.report(
            caller=self.caller,
            gateway=gateway,
            status={
                "applied_revision": gateway.revision if applied is None else applied,
                "refused_revision": refused,
                "refused_reason": reason,
                "counters": self.counters(),
            },
        )

    def step_in(self) -> None:
        """The next step's weights, asked for and applied."""
        self.tick()
        self.report()
        self.tick()

    def look(self, candidate: tuple[int, ...], stable: tuple[int, ...] = (0,)) -> None:
        """Answers come in, the agent reports, the rollout looks."""
        self.serve(self.v2, *candidate)
        self.serve(self.v1, *stable)
        self.report()
        self.tick()

    def go_back(self) -> None:
        """The agent acknowledges the way back, and twice no new answer."""
        for _ in range(2):
            self.report()
            self.tick()

    @property
    def weights(self) -> dict[int, int]:
        return {
            target.version.number: target.weight
            for target in self.route.targets.select_related("version")
            if target.weight
        }

    @property
    def live(self) -> int | None:
        version = registry.live_version(self.route.model, self.route.environment.name)
        return version.number if version else None

    @property
    def state(self) -> str:
        self.rollout.refresh_from_db()
        return str(self.rollout.state)


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> make.FakeAuthority:
    fake = make.FakeAuthority()
    monkeypatch.setattr(ports, "_authority", fake)
    return fake


@pytest.fixture
def guard() -> Iterator[make.FakeGuard]:
    before = registry_ports.alias_guard()
    fake = make.FakeGuard()
    registry_ports.register_alias_guard(fake)
    yield fake
    registry_ports.register_alias_guard(before)


@pytest.fixture
def stage(
    workspace: Any,
    authority: make.FakeAuthority,
    guard: make.FakeGuard,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> Stage:
    """Version 1 is live; version 2 has an endpoint that answers, and an approval that is sealed."""
    settings.ROLLOUT_SEAL_TIMEOUT_SECONDS = 0.0
    settings.OUTBOUND_ALLOW = "127.0.0.1/32:1-1023"
    monkeypatch.setattr(advance.endpoints, "probe", lambda **_: None)
    route = make.RouteFactory(
        gateway__workspace=workspace, environment=make.production(workspace), name="flights"
    )
    v1 = ModelVersionFactory(model=route.model)
    make.make_live(route, v1)
    v2 = ModelVersionFactory(model=route.model)
    EndpointFactory(version=v2)
    authority.events = [make.an_approval(workspace)]
    seal_once()
    return Stage(workspace, authority, guard, route, v1, v2)
