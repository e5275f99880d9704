"""The smallest valid rows of serving."""

from __future__ import annotations

import factory

from serving.models import Endpoint, EndpointProvision, EndpointSource
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory


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


class EndpointSourceFactory(factory.django.DjangoModelFactory[EndpointSource]):
    """A template at a loopback port where nobody listens."""

    class Meta:
        model = EndpointSource

    model = factory.SubFactory(RegisteredModelFactory)
    workspace = factory.SelfAttribute("model.workspace")
    kind = "template"
    template = "http://127.0.0.1:9/{model}/{version}/invocations"
    mapping = factory.LazyFunction(lambda: {"path": "predictions"})
    created_by_pid = "system:test"


class EndpointProvisionFactory(factory.django.DjangoModelFactory[EndpointProvision]):
    """One that is being made."""

    class Meta:
        model = EndpointProvision

    version = factory.SubFactory(ModelVersionFactory)
    workspace = factory.SelfAttribute("version.model.workspace")
    source = factory.SubFactory(
        EndpointSourceFactory, model=factory.SelfAttribute("..version.model")
    )
    kind = factory.SelfAttribute("source.kind")
    state = "trying"
