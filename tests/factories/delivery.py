"""The smallest valid rows of delivery, and an authority and a guard that say what a test wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import factory
from django.db import transaction
from django.utils import timezone

from audit.actions import Action
from audit.actor import Actor
from audit.services.record import record
from delivery.models import (
    Device,
    Fallback,
    Gateway,
    LearningPlan,
    Recall,
    Ring,
    Rollout,
    Route,
    RouteTarget,
)
from delivery.ports import Standing
from registry.models import Alias, Environment
from tests.factories.registry import (
    EnvironmentFactory,
    ModelVersionFactory,
    RegisteredModelFactory,
)
from tests.factories.serving import EndpointFactory

PLAN: dict[str, Any] = {
    "steps": [25, 50, 100],
    "min_answers": 50,
    "limits": {"alpha": 0.01, "slow_ms": 250, "slow_share": 0.05},
}


class GatewayFactory(factory.django.DjangoModelFactory[Gateway]):
    class Meta:
        model = Gateway

    workspace = factory.SubFactory("tests.factories.accounts.WorkspaceFactory")
    name = factory.Sequence(lambda n: f"gateway-{n}")
    public_url = "http://127.0.0.1:8001"


class RouteFactory(factory.django.DjangoModelFactory[Route]):
    """A route of a new model in its workspace's production."""

    class Meta:
        model = Route

    gateway = factory.SubFactory(GatewayFactory)
    workspace = factory.SelfAttribute("gateway.workspace")
    name = factory.Sequence(lambda n: f"route-{n}")
    model = factory.SubFactory(
        RegisteredModelFactory, workspace=factory.SelfAttribute("..workspace")
    )
    environment = factory.SubFactory(
        EnvironmentFactory, workspace=factory.SelfAttribute("..workspace")
    )


class ReadRouteFactory(RouteFactory):
    """A route without a gateway: its readers ask what is current."""

    gateway = None
    workspace = factory.SubFactory("tests.factories.accounts.WorkspaceFactory")


class RingFactory(factory.django.DjangoModelFactory[Ring]):
    class Meta:
        model = Ring

    route = factory.SubFactory(ReadRouteFactory)
    name = factory.Sequence(lambda n: f"ring-{n}")
    position = factory.LazyAttribute(lambda it: it.route.rings.count())
    share = 10


class RecallFactory(factory.django.DjangoModelFactory[Recall]):
    class Meta:
        model = Recall

    version = factory.SubFactory(ModelVersionFactory)
    model = factory.SelfAttribute("version.model")
    workspace = factory.SelfAttribute("version.model.workspace")
    reason = "It stops in the cold."
    devices = 0
    ordered_by_pid = "system:test"


class DeviceFactory(factory.django.DjangoModelFactory[Device]):
    """A device that runs ``version`` and spoke just now."""

    class Meta:
        model = Device

    version = factory.SubFactory(ModelVersionFactory)
    model = factory.SelfAttribute("version.model")
    device_id = factory.Sequence(lambda n: f"device-{n}")
    digest = factory.SelfAttribute("version.release_digest")
    seen_at = factory.LazyFunction(timezone.now)
    first_seen_at = factory.SelfAttribute("seen_at")


class LearningPlanFactory(factory.django.DjangoModelFactory[LearningPlan]):
    class Meta:
        model = LearningPlan

    model = factory.SubFactory(RegisteredModelFactory)
    workspace = factory.SelfAttribute("model.workspace")
    set_by = factory.SelfAttribute("model.owner")
    every_seconds = 3600
    url = "http://127.0.0.1:9/state"


class FallbackFactory(factory.django.DjangoModelFactory[Fallback]):
    class Meta:
        model = Fallback

    version = factory.SubFactory(ModelVersionFactory)
    model = factory.SelfAttribute("version.model")
    set_by_pid = "system:test"


class RouteTargetFactory(factory.django.DjangoModelFactory[RouteTarget]):
    class Meta:
        model = RouteTarget

    route = factory.SubFactory(RouteFactory)
    version = factory.SubFactory(ModelVersionFactory, model=factory.SelfAttribute("..route.model"))
    endpoint = factory.SubFactory(EndpointFactory, version=factory.SelfAttribute("..version"))
    weight = 100
    address = "127.0.0.1"
    port = 9
    host = "127.0.0.1:9"
    path = "/"


class RolloutFactory(factory.django.DjangoModelFactory[Rollout]):
    """A queued rollout without steps or job; ``rollouts.start`` makes one with."""

    class Meta:
        model = Rollout

    route = factory.SubFactory(RouteFactory)
    workspace = factory.SelfAttribute("route.workspace")
    reference = factory.Sequence(lambda n: f"promotion:{n}")
    to_version = factory.SubFactory(
        ModelVersionFactory, model=factory.SelfAttribute("..route.model")
    )
    release_digest = factory.SelfAttribute("to_version.release_digest")
    plan = factory.LazyFunction(lambda: dict(PLAN))
    started_by_pid = "system:test"


@dataclass
class FakeAuthority:
    """An authority whose answer is set by the test; it remembers what it was told."""

    refusal: str | None = None
    events: list[int] = field(default_factory=list)
    concluded: list[str] = field(default_factory=list)
    asked: int = 0
    stands: Standing | None = None

    def why_not(self, *, reference: str, release_digest: str, environment: str) -> str | None:
        self.asked += 1
        return self.refusal

    def approval_events(self, reference: str) -> list[int]:
        return self.events

    def conclude(self, *, reference: str, outcome: str, rollout: Rollout) -> None:
        self.concluded.append(outcome)

    def standing(self, reference: str) -> Standing | None:
        return self.stands


@dataclass
class FakeGuard:
    """Lets a rollout's own references move its alias, and says no when the test wants it."""

    refusal: str | None = None

    def why_not_move(self, *, reference: str, **_: Any) -> str | None:
        if not reference.startswith(("rollout:", "rollback:")):
            return "not by a rollout"
        return self.refusal

    def goes_along(self, **_: Any) -> dict[int, Any]:
        return {}


def an_approval(workspace: Any) -> int:
    """The id of an event that may stand for an approval."""
    with transaction.atomic():
        event = record(
            Action.REQUEST_APPROVED,
            actor=Actor.system("tests", workspace=workspace.slug),
            object_type="promotion_request",
            object_id="1",
            object_name="REQ-1",
        )
    return event.pk


def make_live(route: Route, version: Any) -> RouteTarget:
    """``version`` is what registry and gateway agree on for this route."""
    Alias.objects.create(
        model=route.model,
        version=version,
        name=route.environment.alias,
        moved_by_pid="system:test",
    )
    return RouteTargetFactory(route=route, version=version)


def make_live_by_alias(route: Route, version: Any) -> Alias:
    """``version`` is live where nothing but the alias says so."""
    return Alias.objects.create(
        model=route.model,
        version=version,
        name=route.environment.alias,
        moved_by_pid="system:test",
    )


def production(workspace: Any) -> Environment:
    return Environment.objects.get(workspace=workspace, name="production")
