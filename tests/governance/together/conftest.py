"""``score 1`` and ``parent 1``, which calls it, are live; the second of each waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from delivery.models import Rollout
from registry import selectors as registry
from tests.factories import governance as make
from tests.factories.delivery import RolloutFactory, RouteFactory
from tests.factories.registry_lineage import calling
from tests.governance.conftest import approve, signer

__all__ = ["approve", "signer"]
GATES = ("card.complete and findings.open_high == 0",)


@dataclass
class World:
    workspace: Any
    score1: Any
    score2: Any
    parent1: Any
    parent2: Any
    ask: Callable[[Any], Any]
    sign: Callable[[Any], Any]

    def live(self) -> tuple[int | None, int | None]:
        """What is live of parent and score."""
        found = [
            registry.live_version(it.model, "production") for it in (self.parent1, self.score1)
        ]
        return tuple(it.number if it else None for it in found)  # type: ignore[return-value]

    def route(self, version: Any) -> Any:
        return RouteFactory(
            gateway__workspace=self.workspace,
            workspace=self.workspace,
            model=version.model,
            environment=registry.get_environment(self.workspace, "production"),
        )

    def rollout(self, promotion: Any, route: Any, **fields: Any) -> Rollout:
        """All steps passed; what is left is to close it."""
        return RolloutFactory(
            route=route,
            reference=promotion.reference,
            to_version=promotion.version,
            from_version=promotion.live_version,
            **{"state": "running", **fields},
        )


@pytest.fixture
def world(workspace: Any, person: Any, signer: Any, approve: Any) -> World:
    make.policy(workspace, gates=GATES, approvals={"validator": 1})
    score = make.model(workspace, name="score")
    parent = make.model(workspace, name="parent")
    score1, score2 = make.version(score), make.version(score)
    words = {"description": "Calls the score."}
    parent1, parent2 = calling(parent, score1, **words), calling(parent, score2, **words)
    make.make_live(score1)
    make.make_live(parent1)
    requester = person("requester")
    validator = signer("validator")

    def ask(version: Any) -> Any:
        return make.promotion(workspace, of=version, by=requester, gates_pass=False)

    return World(
        workspace,
        score1,
        score2,
        parent1,
        parent2,
        ask,
        lambda promotion: approve(validator, promotion),
    )
