"""Messages of the outbox and entries of the allow-list."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from outbound.models import Destination, Message
from tests.factories.accounts import WorkspaceFactory


class DestinationFactory(DjangoModelFactory):
    """An entry in force; each on a port of its own."""

    class Meta:
        model = Destination

    workspace = factory.SubFactory(WorkspaceFactory)
    cidr = "10.1.2.3/32"
    port = factory.Sequence(lambda n: 20_000 + n)
    reason = "the model server of the fraud team"
    created_by_pid = "p:0123456789abcdef01234567"
    created_by_label = "Ada"


class MessageFactory(DjangoModelFactory):
    """A queued mail."""

    class Meta:
        model = Message

    workspace = factory.SubFactory(WorkspaceFactory)
    kind = "mail"
    purpose = "test"
    dedupe_key = factory.Sequence(lambda n: f"key-{n}")
    message_id = factory.Sequence(lambda n: f"<m{n}@localhost>")
    to = factory.LazyFunction(lambda: ["ada@example.com"])
    subject = factory.Sequence(lambda n: f"Message {n}")
    body = "Hello."
