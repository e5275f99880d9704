"""Reads of delivery, always within one workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.errors import NotFound
from delivery.models import Gateway, Rollout, RolloutSample, Route

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import Workspace


def rollouts(workspace: Workspace) -> QuerySet[Rollout]:
    """Newest first, with everything that a row shows."""
    return (
        Rollout.objects.filter(workspace=workspace)
        .select_related(
            "workspace",
            "route__gateway",
            "route__model",
            "route__environment",
            "from_version__model",
            "to_version__model",
            "job",
        )
        .prefetch_related("steps")
        .order_by("-pk")
    )


def get_rollout(workspace: Workspace, uid: str | UUID) -> Rollout:
    """Raises: NotFound."""
    found = rollouts(workspace).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such rollout.", code="rollout_not_found")
    return found


def rollout_of(reference: str) -> Rollout | None:
    """The latest rollout that an approval began."""
    return Rollout.objects.filter(reference=reference).order_by("-pk").first()


def by_uid(uid: str | UUID) -> Rollout | None:
    """A rollout for the guard of the upper app; workspace is checked there."""
    return (
        Rollout.objects.select_related("route__environment", "route__model", "to_version")
        .filter(uid=uid)
        .first()
    )


def routes(workspace: Workspace) -> QuerySet[Route]:
    return (
        Route.objects.filter(workspace=workspace)
        .select_related(
            "gateway",
            "model__workspace",
            "environment",
            "held_version__model",
            "taken_version",
            "workspace",
        )
        .prefetch_related("targets__version__model", "targets__endpoint")
        .order_by("name")
    )


def get_route(workspace: Workspace, name: str) -> Route:
    """Raises: NotFound."""
    found = routes(workspace).filter(name=name).first()
    if found is None:
        raise NotFound("There is no such route.", code="route_not_found")
    return found


def gateways(workspace: Workspace) -> QuerySet[Gateway]:
    return Gateway.objects.filter(workspace=workspace).order_by("name")


def samples(rollout: Rollout, *, at_most: int = 300) -> list[RolloutSample]:
    """The rollout's looks in order of time, thinned evenly to at most so many for a picture."""
    keys = list(
        RolloutSample.objects.filter(step__rollout=rollout)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    stride = max(1, -(-len(keys) // at_most))
    wanted = keys[::stride]
    if keys and wanted[-1] != keys[-1]:
        wanted.append(keys[-1])
    return list(RolloutSample.objects.filter(pk__in=wanted).select_related("step").order_by("pk"))
