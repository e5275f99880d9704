"""``score 1`` and ``parent 1``, which calls it, are live; the second of each waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction

from delivery.models import Rollout
from governance.services import signatures
from registry import selectors as registry
from tests.factories import governance as make
from tests.factories.accounts import person
from tests.factories.delivery import RolloutFactory, RouteFactory
from tests.factories.registry_lineage import calling
from tests.governance.conftest import PASSWORD

GATES = ("findings.open_high == 0",)


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


def build(workspace: Any) -> World:
    """The same for any database: that of a test, or that of a house of processes."""
    make.policy(workspace, gates=GATES, approvals={"validator": 1})
    score = make.model(workspace, name="score")
    parent = make.model(workspace, name="parent")
    score1, score2 = make.version(score), make.version(score)
    words = {"description": "Calls the score."}
    parent1, parent2 = calling(parent, score1, **words), calling(parent, score2, **words)
    with transaction.atomic():
        make.make_live(score1)
        make.make_live(parent1)
    requester = person(workspace, "requester")
    validator = person(workspace, "validator")
    validator.set_password(PASSWORD)
    validator.save(update_fields=["password"])

    def ask(version: Any) -> Any:
        return make.promotion(workspace, of=version, by=requester, gates_pass=False)

    def sign(promotion: Any) -> Any:
        promotion.refresh_from_db()
        return signatures.approve(
            caller=make.caller(validator, workspace),
            promotion=promotion,
            digest=promotion.digest,
            password=PASSWORD,
            reason="Read it all.",
            meaning=promotion.policy_revision.body["meanings"]["validator"][0],
        )

    return World(workspace, score1, score2, parent1, parent2, ask, sign)


@pytest.fixture
def world(workspace: Any) -> World:
    return build(workspace)
