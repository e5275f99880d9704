"""A model that nobody sends requests to: two versions, the first of them live on a read route."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.services.seal import seal_once
from delivery import ports
from registry import ports as registry_ports
from registry import selectors as registry
from tests.delivery.conftest import Stage
from tests.factories import delivery as make
from tests.factories.registry import AliasFactory, ModelVersionFactory


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
def route(workspace: Any) -> Any:
    return make.ReadRouteFactory(
        workspace=workspace, environment=make.production(workspace), name="meters"
    )


@pytest.fixture
def versions(route: Any) -> tuple[Any, Any]:
    """Version 1 has been live for ten days; version 2 is not."""
    v1 = ModelVersionFactory(model=route.model)
    since = timezone.now() - timedelta(days=10)
    AliasFactory(version=v1, started_at=since, reference="promotion:x")
    return v1, ModelVersionFactory(model=route.model)


@pytest.fixture
def stage(workspace: Any, authority: Any, guard: Any, route: Any, versions: Any, settings: Any):
    """The same with an approval of version 2 that is sealed."""
    settings.ROLLOUT_SEAL_TIMEOUT_SECONDS = 0.0
    authority.events = [make.an_approval(workspace)]
    seal_once()
    return Stage(workspace, authority, guard, route, *versions)


@pytest.fixture
def go_live(route: Any) -> Any:
    """``go_live(v2, hours=3)``: version 2 replaced what was live three hours ago."""

    def act(version: Any, hours: float = 0.0, reference: str = "rollout:x") -> Any:
        at = timezone.now() - timedelta(hours=hours)
        alias = registry.get_alias(route.model, "champion")
        alias.ended_at = max(at, alias.started_at)
        alias.save(update_fields=["ended_at"])
        return AliasFactory(version=version, started_at=alias.ended_at, reference=reference)

    return act
