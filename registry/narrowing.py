"""The filters of inventory and search, by what they say about a model or a version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet

from accounts.models import User
from registry.fulltext import sql
from registry.fulltext.words import understand
from registry.models import Alias, Environment, ModelVersion, RegisteredModel

if TYPE_CHECKING:
    from accounts.models import Workspace

#: A prefix that half the house answers to is no name.
_MOST_OWNERS = 200


def models_about(models: QuerySet[RegisteredModel], text: str) -> QuerySet[RegisteredModel]:
    """Those whose name, purpose, description or tags answer, or whose owner is so called."""
    wanted = understand(text)
    if not wanted:
        return models.none()
    return models.filter(Q(sql.matches(wanted)) | Q(owner__in=owners_called(text)))


def owners_called(text: str) -> list[int]:
    """People whose name or address holds the whole text; a list, so that indexes stay in use."""
    called = " ".join(text.split())
    if len(called) < 2 or "\x00" in called:
        return []
    found = User.objects.filter(Q(name__icontains=called) | Q(email__icontains=called))
    return list(found.order_by("pk").values_list("pk", flat=True)[:_MOST_OWNERS])


def standing(environment: str, workspace: Workspace) -> QuerySet[Alias]:
    """Open aliases of the name that says what is live in that environment of the workspace.

    They are of every workspace: what is narrowed by them is of one.
    """
    names = Environment.objects.filter(workspace=workspace, name=environment)
    # Asked for first: with the name at hand the planner knows how many there are.
    alias = names.values_list("alias", flat=True).first() if "\x00" not in environment else None
    return Alias.objects.filter(ended_at=None, name=alias) if alias else Alias.objects.none()


def tagged(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Those with that tag: ``key``, or ``key=value``."""
    key, equals, value = text.partition("=")
    if "\x00" in text or not key.strip():
        return rows.none()
    if equals:
        return rows.filter(tags__contains={key.strip(): value.strip()})
    return rows.filter(tags__has_key=key.strip())


def narrow_models(
    models: QuerySet[RegisteredModel], given: dict[str, str], workspace: Workspace
) -> QuerySet[RegisteredModel]:
    """By whatever is given of kind, tier, owner, live, tag, consumption and needs."""
    from registry.needs import needing

    if kind := given.get("kind"):
        models = models.filter(kind=kind)
    if tier := given.get("tier"):
        models = models.filter(tier=tier)
    if owner := given.get("owner"):
        models = models.filter(owner__in=owners_called(owner))
    if live := given.get("live"):
        models = models.filter(pk__in=standing(live, workspace).values("model"))
    if tag := given.get("tag"):
        models = tagged(models, tag)
    if consumption := given.get("consumption"):
        used = ModelVersion.objects.filter(
            workspace=workspace, consumption=consumption, deleted_at=None
        )
        models = models.filter(pk__in=used.values("model"))
    if needs := given.get("needs"):
        models = needing(models, needs, workspace)
    return models


def narrow_versions(
    versions: QuerySet[ModelVersion], given: dict[str, str], workspace: Workspace
) -> QuerySet[ModelVersion]:
    """By whatever is given; what only a model can need narrows to its versions."""
    from registry.needs import needing

    if kind := given.get("kind"):
        versions = versions.filter(model__kind=kind)
    if tier := given.get("tier"):
        versions = versions.filter(model__tier=tier)
    if owner := given.get("owner"):
        versions = versions.filter(model__owner__in=owners_called(owner))
    if live := given.get("live"):
        versions = versions.filter(pk__in=standing(live, workspace).values("version"))
    if tag := given.get("tag"):
        versions = tagged(versions, tag)
    if consumption := given.get("consumption"):
        versions = versions.filter(consumption=consumption)
    if needs := given.get("needs"):
        models = RegisteredModel.objects.filter(workspace=workspace, deleted_at=None)
        versions = versions.filter(model__in=needing(models, needs, workspace).values("pk"))
    return versions
