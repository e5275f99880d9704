from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.factories.registry import ModelVersionFactory
from tests.factories.serving import EndpointFactory
from tests.serving.servers import Server


@pytest.fixture
def server(settings: Any) -> Iterator[Server]:
    """A model server on loopback, opened for this test as an administrator would."""
    running = Server()
    running.start()
    settings.OUTBOUND_ALLOW = f"127.0.0.1/32:{running.port}"
    yield running
    running.stop()


@pytest.fixture
def version(workspace: Any) -> Any:
    return ModelVersionFactory(model__workspace=workspace, model__name="credit-risk")


@pytest.fixture
def endpoint(server: Server, version: Any) -> Any:
    """An endpoint at that server; a total deadline of half a second."""
    return EndpointFactory(version=version, url=server.url, timeout_ms=500, max_batch_rows=4)
