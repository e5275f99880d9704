"""Webhooks and what they were told."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from outbound.models import Message
from registry.models import Webhook
from tests.factories.accounts import WorkspaceFactory


class WebhookFactory(DjangoModelFactory[Webhook]):
    """A webhook at a loopback port where, unless a test puts one there, nobody listens."""

    class Meta:
        model = Webhook

    workspace = factory.SubFactory(WorkspaceFactory)
    name = factory.Sequence(lambda n: f"webhook-{n}")
    url = "http://127.0.0.1:9/hook"
    events = factory.LazyFunction(lambda: [{"entity": "MODEL_VERSION", "action": "CREATED"}])
    created_by_pid = "p:0123456789abcdef01234567"


class DeliveryFactory(DjangoModelFactory[Message]):
    """A delivery that waits."""

    class Meta:
        model = Message

    workspace = factory.SubFactory(WorkspaceFactory)
    kind = "webhook"
    scheme = "mlflow"
    purpose = "webhook"
    subject = "model_version.created"
    dedupe_key = factory.Sequence(lambda n: f"delivery:{n}")
    message_id = factory.Sequence(lambda n: f"<d{n}@localhost>")
    url = "http://127.0.0.1:9/hook"
    body = '{"entity": "model_version", "action": "created", "data": {"name": "m", "version": "1"}}'
    sealed_secret = "spent"
