"""What a model can lack: each a filter of the inventory and a count in its sentence.

Apps above register theirs (a validation, a monitor) in ``apps.ready()``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Exists, F, FilteredRelation, OuterRef, Q
from django.db.models.functions import Coalesce

from registry.models import Alias, Environment, ModelVersion, VersionAuthor

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

    from accounts.models import Workspace
    from registry.models import RegisteredModel

    Models = QuerySet[RegisteredModel]
    Narrow = Callable[[Models, Workspace], Models]


@dataclass(frozen=True, slots=True)
class Need:
    """Something to be done about a model.

    Attributes:
        label: after “Needs” in the filter.
        one, several: after the count in the sentence.
        narrow: those of the models that need it, all of one workspace.
    """

    key: str
    label: str
    one: str
    several: str
    narrow: Narrow


def with_live(models: Models, workspace: Workspace) -> Models:
    """Joined as ``live`` with the alias of the environment nearest to users, where it stands."""
    return models.annotate(
        live=FilteredRelation(
            "aliases",
            condition=Q(aliases__ended_at=None, aliases__name=last_alias(workspace)),
        )
    )


def live_only(models: Models, workspace: Workspace) -> Models:
    """Those of which a version is live in the environment nearest to users."""
    here = Alias.objects.filter(ended_at=None, name=last_alias(workspace))
    return models.filter(pk__in=here.values("model"))


def last_alias(workspace: Workspace) -> str:
    """The protected alias of the environment nearest to users; empty where there is none."""
    names = Environment.objects.filter(workspace=workspace).order_by("-position")
    return names.values_list("alias", flat=True).first() or ""


def _versions() -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(model=OuterRef("pk"), deleted_at=None)


def _version(models: Models, workspace: Workspace) -> Models:
    # Most models have a version that nobody deleted: only the others are looked at one by one.
    emptied = ModelVersion.objects.filter(workspace=workspace, deleted_at__isnull=False)
    return models.filter(
        Q(next_version=1) | (Q(pk__in=emptied.values("model")) & ~Exists(_versions()))
    )


def _promotion(models: Models, workspace: Workspace) -> Models:
    # A model's versions get ascending ids as they get ascending numbers, under the model's lock.
    newer = _versions().filter(pk__gt=Coalesce(OuterRef("live__version_id"), 0))
    return with_live(models, workspace).filter(Exists(newer))


def _purpose(models: Models, workspace: Workspace) -> Models:
    return models.filter(purpose="")


def _author(models: Models, workspace: Workspace) -> Models:
    unmapped = VersionAuthor.objects.filter(
        user=None, version__workspace=workspace, version__deleted_at=None
    )
    return models.filter(pk__in=unmapped.values(model=F("version__model")))


_needs: dict[str, Need] = {}


def register_need(need: Need) -> None:
    """One need a key, in the order of registration."""
    _needs[need.key] = need


def needs() -> list[Need]:
    return list(_needs.values())


def needing(models: Models, key: str, workspace: Workspace) -> Models:
    """Those that need it; all of them for a need nobody knows."""
    need = _needs.get(key)
    return models if need is None else need.narrow(models, workspace)


for _need in (
    Need(
        "version",
        "a first version",
        "model has no version yet",
        "models have no version yet",
        _version,
    ),
    Need(
        "promotion",
        "a decision: newest is not live",
        "has a newest version that is not live",
        "have a newest version that is not live",
        _promotion,
    ),
    Need(
        "purpose",
        "a purpose",
        "has no purpose written down",
        "have no purpose written down",
        _purpose,
    ),
    Need(
        "author",
        "an author mapped",
        "has an author nobody has mapped",
        "have authors nobody has mapped",
        _author,
    ),
):
    register_need(_need)
