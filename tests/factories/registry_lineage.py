"""Versions that lean on others, and links about them."""

from __future__ import annotations

from typing import Any

import factory

from registry.models import ModelVersion, RegisteredModel, VersionComponent, VersionLink
from tests.factories.registry import ModelVersionFactory


def calling(model: RegisteredModel, *components: ModelVersion, **fields: Any) -> ModelVersion:
    """The model's next version, which calls these."""
    version = ModelVersionFactory(model=model, **fields)
    VersionComponent.objects.bulk_create(
        VersionComponent(version=version, component=it) for it in components
    )
    return version


class VersionLinkFactory(factory.django.DjangoModelFactory[VersionLink]):
    class Meta:
        model = VersionLink

    version = factory.SubFactory(ModelVersionFactory)
    kind = "wandb"
    url = factory.Sequence(lambda n: f"https://wandb.example/runs/{n}")
    added_by_pid = "system:test"
