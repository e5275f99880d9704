"""Model cards; a whole one has every section."""

from __future__ import annotations

from typing import Any

import factory

from common.canonical import digest_of
from registry import cards
from registry.models import CardRevision
from tests.factories.registry import ModelVersionFactory

WHOLE = {section.key: f"About {section.title.lower()}." for section in cards.SECTIONS}


class CardRevisionFactory(factory.django.DjangoModelFactory[CardRevision]):
    """A revision as the service leaves it, without its author and its event."""

    class Meta:
        model = CardRevision

    version = factory.SubFactory(ModelVersionFactory)
    number = 1
    sections: Any = factory.LazyFunction(lambda: dict(WHOLE))
    digest = factory.LazyAttribute(lambda it: digest_of(it.sections))
    edited_by = factory.SelfAttribute("version.created_by")
