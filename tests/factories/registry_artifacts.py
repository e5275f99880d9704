"""The smallest valid rows of artifacts and their uploads; with bytes behind them when asked."""

from __future__ import annotations

import hashlib
from typing import Any

import factory

from registry.artifacts import content
from registry.models import Artifact, ArtifactUpload
from tests.factories.accounts import UserFactory, WorkspaceFactory


class ArtifactFactory(factory.django.DjangoModelFactory[Artifact]):
    """A row without a file; ``stored=b"…"`` puts these bytes behind it."""

    class Meta:
        model = Artifact

    class Params:
        stored: Any = None
        digits = factory.Sequence(lambda n: f"{n:064x}")

    workspace = factory.SubFactory(WorkspaceFactory)
    name = "model.bin"
    format = "unknown"
    size = factory.LazyAttribute(lambda it: 1 if it.stored is None else len(it.stored))
    storage_name = factory.LazyAttribute(lambda it: content.storage_name(it.sha256))
    created_by_pid = "system:test"

    @factory.lazy_attribute
    def sha256(self) -> str:
        if self.stored is None:
            return self.digits
        digest = hashlib.sha256(self.stored).hexdigest()
        content.store(content.Checked([self.stored], size=len(self.stored)), digest)
        return digest


class ArtifactUploadFactory(factory.django.DjangoModelFactory[ArtifactUpload]):
    class Meta:
        model = ArtifactUpload

    workspace = factory.SubFactory(WorkspaceFactory)
    name = "model.bin"
    size = 100
    created_by = factory.SubFactory(UserFactory)
