"""Routes: stable names for callers, and the one place where their weights are set."""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models.functions import Now
from django.utils.text import slugify

from accounts.callers import Caller
from accounts.roles import Capability
from audit.actions import Action
from audit.services.record import record
from common.errors import AlreadyExists, Conflict
from delivery.models import Gateway, Route, RouteTarget
from delivery.services import gateways
from outbound.services.destinations import check_url
from registry import selectors as registry
from registry.services.models import lock as lock_model

if TYPE_CHECKING:
    from registry.models import Environment, ModelVersion, RegisteredModel
    from serving.models import Endpoint


@transaction.atomic
def create(
    *,
    caller: Caller,
    name: str,
    gateway: Gateway | None,
    environment: Environment,
    model: RegisteredModel,
    timeout_ms: int = 10_000,
    lease_seconds: int | None = None,
    offline_seconds: int | None = None,
) -> Route:
    """A name for whatever version of ``model`` is live in ``environment``.

    Without a gateway nothing is sent anywhere: jobs, tables, streams and devices ask it which
    version is current.

    Raises: NotAllowed, AlreadyExists.
    """
    caller.insist(Capability.ROLLOUT_OPERATE)
    gateways.insist_name(name)
    taken = Route.objects.filter(workspace=caller.workspace)
    if taken.filter(name=name).exists():
        raise AlreadyExists(f"There is a route “{name}” already.", code="route_exists")
    if taken.filter(model=model, environment=environment).exists():
        raise AlreadyExists(
            f"{model.name} has a route in {environment.name} already.", code="route_exists"
        )
    route = Route(
        workspace=caller.workspace,
        gateway=gateway,
        name=name,
        model=model,
        environment=environment,
        timeout_ms=timeout_ms,
        lease_seconds=lease_seconds,
        offline_seconds=offline_seconds,
    )
    route.save(force_insert=True)
    if gateway is not None:
        gateways.bump(gateway.pk)
    record(
        Action.ROUTE_CREATED,
        actor=caller.actor,
        object_type="route",
        object_id=str(route.uid),
        object_name=name,
        after={
            "gateway": gateway.name if gateway is not None else None,
            "model": model.name,
            "environment": environment.name,
        },
    )
    return route


@transaction.atomic
def ensure(*, model: RegisteredModel, environment: Environment) -> Route:
    """The model's route there; one without a gateway is made where there is none.

    For a version that reaches nobody by traffic: its consumers need a name to ask for all the
    same. Made by the house, because an approval asked for it.
    """
    present = route_for(model=model, environment=environment)
    if present is not None:
        return present
    # Two approvals at once must not make two names; the second then finds the first's.
    lock_model(model)
    present = route_for(model=model, environment=environment)
    if present is not None:
        return present
    return create(
        caller=Caller.system("delivery", model.workspace),
        name=_free_name(model, environment),
        gateway=None,
        environment=environment,
        model=model,
    )


def taken_up(route: Route, version: ModelVersion) -> None:
    """A reader has been given this version, for the first time since it was handed over."""
    if route.taken_version_id != version.pk:
        Route.objects.filter(pk=route.pk).exclude(taken_version=version).update(
            taken_version=version, taken_at=Now()
        )


def _free_name(model: RegisteredModel, environment: Environment) -> str:
    """The model's name as it stands in a URL; the last environment needs no word of its own."""
    last = registry.environments(model.workspace).last()
    stem = slugify(model.name)[:40].strip("-_").replace("_", "-") or f"model-{model.pk}"
    if last is None or last.pk != environment.pk:
        stem = f"{stem}-{slugify(environment.name)[:15]}".strip("-_").replace("_", "-")
    taken = set(
        Route.objects.filter(workspace=model.workspace_id, name__startswith=stem).values_list(
            "name", flat=True
        )
    )
    numbered = (f"{stem}-{number}" for number in count(2))
    return next(name for name in chain([stem], numbered) if name not in taken)


def route_for(*, model: RegisteredModel, environment: Environment) -> Route | None:
    """The one route of a model in an environment."""
    return (
        Route.objects.select_related("gateway", "environment", "model")
        .filter(model=model, environment=environment)
        .first()
    )


def place_target(*, route: Route, endpoint: Endpoint, version: ModelVersion) -> RouteTarget:
    """Make an endpoint ready behind a route, at weight 0 if it is new; its address is checked now.

    Raises:
        AddressRefused: the outbound policy does not let anybody dial it.
        Conflict: its path cannot share a route with the present targets'.
    """
    pinned = check_url(endpoint.url, route.workspace)
    parts = urlsplit(endpoint.url)
    prefix = parts.path.rsplit("/", 1)[0] or "/"
    others = RouteTarget.objects.filter(route=route, weight__gt=0).exclude(endpoint=endpoint)
    if others.exclude(path=prefix).exists():
        raise Conflict(
            f"{endpoint.name} answers under “{prefix}”, the live version elsewhere; one route has"
            " one path at its endpoints.",
            code="path_differs",
        )
    target, _ = RouteTarget.objects.update_or_create(
        route=route,
        endpoint=endpoint,
        defaults={
            "version": version,
            "address": str(pinned.address),
            "port": pinned.port,
            "host": parts.netloc.rpartition("@")[2],
            "path": prefix,
            "tls": parts.scheme == "https",
        },
    )
    return target


def set_weights(*, route: Route, weights: dict[int, int]) -> int:
    """Set the targets' weights (target id → percent); every other target gets 0.

    Call it in the transaction that records why. Returns the gateway revision that carries it.
    """
    if route.gateway_id is None:
        raise ValueError(f"{route} has no gateway, so it has no weights")
    for target in RouteTarget.objects.select_for_update().filter(route=route).order_by("pk"):
        weight = weights.get(target.pk, 0)
        if target.weight != weight:
            target.weight = weight
            target.save(update_fields=["weight"])
    return gateways.bump(route.gateway_id)
