"""The smallest valid rows of the registry; releases and their digests are real."""

from __future__ import annotations

from typing import Any

import factory

from registry import release
from registry.models import (
    Alias,
    Dataset,
    Environment,
    ModelVersion,
    RegisteredModel,
    VersionAuthor,
    VersionDataset,
)
from tests.factories.accounts import UserFactory, WorkspaceFactory


class EnvironmentFactory(factory.django.DjangoModelFactory[Environment]):
    """An environment beside the two that every workspace starts with."""

    class Meta:
        model = Environment
        django_get_or_create = ("workspace", "name")

    workspace = factory.SubFactory(WorkspaceFactory)
    name = "production"
    position = 20
    alias = factory.LazyAttribute(lambda it: "champion" if it.name == "production" else it.name)


class RegisteredModelFactory(factory.django.DjangoModelFactory[RegisteredModel]):
    class Meta:
        model = RegisteredModel

    workspace = factory.SubFactory(WorkspaceFactory)
    name = factory.Sequence(lambda n: f"model-{n}")
    owner = factory.SubFactory(UserFactory)
    purpose = "To be tested."


class ModelVersionFactory(factory.django.DjangoModelFactory[ModelVersion]):
    """A version with one artifact of its own, so that no two share a release digest."""

    class Meta:
        model = ModelVersion
        skip_postgeneration_save = True

    model = factory.SubFactory(RegisteredModelFactory)
    workspace = factory.SelfAttribute("model.workspace")
    number = factory.LazyAttribute(lambda it: it.model.versions.count() + 1)
    decision_threshold = 0.5
    signature = factory.LazyFunction(
        lambda: {"inputs": [{"name": "x", "type": "double", "required": True}], "outputs": []}
    )
    created_by = factory.SelfAttribute("model.owner")

    class Params:
        artifact = factory.Sequence(lambda n: f"{n:064x}")

    @factory.lazy_attribute
    def release(self) -> dict[str, Any]:
        return release.canonical(
            release.ReleaseInput(
                artifacts=[{"name": "model.bin", "sha256": self.artifact, "size": 1}],
                decision_threshold=self.decision_threshold,
                signature=self.signature,
            )
        )

    @factory.lazy_attribute
    def release_digest(self) -> str:
        return release.digest(self.release)

    @factory.post_generation
    def counted(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        """The model's counter goes on from here, as the service would have left it."""
        if create:
            following = max(self.model.next_version, self.number + 1)
            type(self.model).objects.filter(pk=self.model.pk).update(next_version=following)


class VersionAuthorFactory(factory.django.DjangoModelFactory[VersionAuthor]):
    class Meta:
        model = VersionAuthor

    version = factory.SubFactory(ModelVersionFactory)
    role = "git_author"
    user = factory.SubFactory(UserFactory)
    identity = factory.LazyAttribute(lambda it: it.user.email if it.user else "nobody@example.org")


class AliasFactory(factory.django.DjangoModelFactory[Alias]):
    class Meta:
        model = Alias

    version = factory.SubFactory(ModelVersionFactory)
    model = factory.SelfAttribute("version.model")
    name = "champion"
    moved_by_pid = "system:test"


class DatasetFactory(factory.django.DjangoModelFactory[Dataset]):
    """A row without a file; ``registry.services.datasets.upload`` makes one with."""

    class Meta:
        model = Dataset

    workspace = factory.SubFactory(WorkspaceFactory)
    name = factory.Sequence(lambda n: f"dataset-{n}")
    digest = factory.Sequence(lambda n: f"sha256:{n:064x}")
    format = "parquet"
    storage_name = factory.LazyAttribute(lambda it: it.digest.replace(":", "/"))
    table_name = factory.SelfAttribute("storage_name")
    table_digest = factory.SelfAttribute("digest")
    size_bytes = 1
    rows = 1
    columns = factory.LazyFunction(
        lambda: [{"name": "x", "type": "number", "nulls": 0, "distinct": 1}]
    )
    created_by_pid = "system:test"


class VersionDatasetFactory(factory.django.DjangoModelFactory[VersionDataset]):
    class Meta:
        model = VersionDataset

    version = factory.SubFactory(ModelVersionFactory)
    dataset = factory.SubFactory(
        DatasetFactory, workspace=factory.SelfAttribute("..version.model.workspace")
    )
    use = "training"
