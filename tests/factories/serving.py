"""The smallest valid rows of serving."""

from __future__ import annotations

import factory

from serving.models import Endpoint
from tests.factories.registry import ModelVersionFactory


class EndpointFactory(factory.django.DjangoModelFactory[Endpoint]):
    """An endpoint at a loopback port where, unless a test puts one there, nobody listens."""

    class Meta:
        model = Endpoint

    version = factory.SubFactory(ModelVersionFactory)
    workspace = factory.SelfAttribute("version.model.workspace")
    name = factory.Sequence(lambda n: f"endpoint-{n}")
    url = "http://127.0.0.1:9/invocations"
    mapping = factory.LazyFunction(lambda: {"path": "predictions"})
    input_columns = factory.LazyFunction(lambda: ["x"])
    timeout_ms = 2000
    created_by_pid = "system:test"
