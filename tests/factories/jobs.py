"""Jobs, and handlers to run them with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import factory
from factory.django import DjangoModelFactory

from jobs import registry
from jobs.models import Job
from tests.factories.accounts import WorkspaceFactory


class JobFactory(DjangoModelFactory):
    """A queued job that is due now, of a kind without a handler (see ``handling``)."""

    class Meta:
        model = Job

    workspace = factory.SubFactory(WorkspaceFactory)
    kind = "tests.work"
    title = factory.Sequence(lambda n: f"Work {n}")

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        job = super()._create(model_class, *args, **kwargs)
        job.refresh_from_db()
        return job


@contextmanager
def handling(handler: registry.Handler, kind: str = "tests.work", **options: Any) -> Iterator[None]:
    """``handler`` is registered for ``kind`` inside the block."""
    registry.register(kind, **options)(handler)
    try:
        yield
    finally:
        registry.forget(kind)
