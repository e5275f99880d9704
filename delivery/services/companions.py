"""The components that go live together with what a rollout carries, and come back with it.

Their aliases move in the transaction that moves the rollout's own (``registry.services.aliases``);
here is what belongs to it on this side: where a component has a route with a gateway, its traffic
moves in that transaction too. What went along is written down in ``workings["along"]``, so that
a rollback brings exactly that back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction

from common.errors import Conflict
from delivery.models import Rollout, Route, RouteTarget
from delivery.services import routes
from registry import components
from registry.models import ModelVersion
from serving import selectors as serving
from serving.services import endpoints

if TYPE_CHECKING:
    from accounts.callers import Caller
    from jobs.registry import Claim

State = Rollout.State


class RouteBusy(Conflict):
    """Another rollout holds the route of a component that should go along."""

    code = "route_busy"
    title = "The route is busy"


def prepare(rollout: Rollout, claim: Claim, caller: Caller) -> None:
    """Before any traffic moves: every component that is not live answers and has its target.

    Raises: Conflict (no endpoint), and what probing and placing raise.
    """
    for version, route in _not_live(rollout):
        endpoint = serving.endpoint_for(version)
        if endpoint is None:
            raise Conflict(
                f"{version} would go along, and its route {route.name} needs an endpoint of it.",
                code="no_endpoint",
            )
        endpoints.probe(caller=caller, endpoint=endpoint)
        with transaction.atomic():
            claim.insist_mine()
            routes.place_target(route=route, endpoint=endpoint, version=version)


def before(rollout: Rollout) -> dict[int, ModelVersion]:
    """Where the components' aliases stand, by model; their routes are locked until the commit.

    Raises: RouteBusy.
    """
    called = components.called_by(rollout.to_version)
    keys = {it.model_id for it in called}
    if not keys:
        return {}
    insist_free(rollout, keys)
    return components.standing(rollout.route.environment.alias, keys)


def carry(rollout: Rollout, stood: Mapping[int, ModelVersion]) -> None:
    """The aliases have moved, in this transaction: so does the components' traffic.

    Args:
        stood: what :func:`before` gave.
    Raises: Conflict when a component's gateway says something else than the registry did.
    """
    called = components.called_by(rollout.to_version)
    stands = components.standing(
        rollout.route.environment.alias, {version.model_id for version in called}
    )
    along = []
    for version in called:
        was = stood.get(version.model_id)
        if was == stands.get(version.model_id):
            continue
        entry: dict[str, Any] = {
            "model": version.model_id,
            "from": was.pk if was is not None else None,
            "to": version.pk,
        }
        route = _route(rollout, version.model_id)
        if route is not None:
            entry |= _turn(route, was, version)
        along.append(entry)
    if along:
        rollout.workings = {**rollout.workings, "along": along}
        rollout.save(update_fields=["workings"])


def bring_back(rollout: Rollout) -> None:
    """The components' traffic goes back where it was; the aliases follow at the end."""
    for entry in rollout.workings.get("along", []):
        if "route" in entry:
            route = Route.objects.get(pk=entry["route"])
            stable = entry["stable"]
            routes.set_weights(route=route, weights={stable: 100} if stable is not None else {})


def stood(rollout: Rollout) -> dict[int, ModelVersion | None]:
    """Where what went along stood before it did, by the model's primary key."""
    along = rollout.workings.get("along", [])
    versions = ModelVersion.objects.in_bulk([it["from"] for it in along if it["from"] is not None])
    return {it["model"]: versions.get(it["from"]) for it in along}


def shown(rollout: Rollout) -> list[ModelVersion]:
    """What goes along, as things stand, or went along; for a rollout that failed, nothing."""
    along = rollout.workings.get("along")
    if along is not None:
        versions = ModelVersion.objects.filter(pk__in=[entry["to"] for entry in along])
        return list(versions.select_related("model").order_by("model__name"))
    if rollout.is_finished or rollout.state == State.ROLLING_BACK:
        return []
    called = components.called_by(rollout.to_version)
    live = components.standing(
        rollout.route.environment.alias, {version.model_id for version in called}
    )
    return [version for version in called if live.get(version.model_id) != version]


def insist_free(rollout: Rollout, models: set[int] | None = None) -> None:
    """Lock the routes of what goes along. Raises: RouteBusy."""
    if models is None:
        models = {entry["model"] for entry in rollout.workings.get("along", [])}
    held = list(
        Route.objects.select_for_update(of=("self",))
        .filter(environment=rollout.route.environment_id, model__in=models)
        .exclude(pk=rollout.route_id)
        .order_by("pk")
    )
    busy = (
        Rollout.objects.filter(route__in=held, state__in=Rollout.UNFINISHED)
        .select_related("route", "to_version__model")
        .first()
    )
    if busy is not None:
        raise RouteBusy(
            f"{busy.to_version.model.name} goes along, and a rollout of its version "
            f"{busy.to_version.number} holds the route {busy.route.name}."
        )


def _not_live(rollout: Rollout) -> list[tuple[ModelVersion, Route]]:
    called = components.called_by(rollout.to_version)
    live = components.standing(
        rollout.route.environment.alias, {version.model_id for version in called}
    )
    found = [
        (version, _route(rollout, version.model_id))
        for version in called
        if live.get(version.model_id) != version
    ]
    return [(version, route) for version, route in found if route is not None]


def _route(rollout: Rollout, model_id: int) -> Route | None:
    """The component's route with a gateway; readers of one without are told by the registry."""
    return (
        Route.objects.select_related("workspace", "gateway", "environment", "model")
        .filter(environment=rollout.route.environment_id, model=model_id, gateway__isnull=False)
        .first()
    )


def _turn(route: Route, was: ModelVersion | None, version: ModelVersion) -> dict[str, Any]:
    live = list(RouteTarget.objects.filter(route=route, weight__gt=0))
    expected = [(was.pk, 100)] if was is not None else []
    if [(target.version_id, target.weight) for target in live] != expected:
        raise Conflict(
            f"Gateway and registry disagree about what {route.name} leads to.", code="out_of_step"
        )
    target = RouteTarget.objects.filter(route=route, version=version).order_by("-pk").first()
    if target is None:
        raise Conflict(f"{route.name} has no target for {version}.", code="no_endpoint")
    routes.set_weights(route=route, weights={target.pk: 100})
    return {"route": route.pk, "stable": live[0].pk if live else None}
