"""What a gateway should serve, and what its agent says it does serve."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.roles import Capability
from audit.actions import Action
from audit.services.record import record
from common.errors import AlreadyExists, Invalid, NotFound
from delivery.models import Gateway, RouteTarget
from delivery.models.route import ROUTE_NAME
from delivery.xds.render import RouteConfig, Target, render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from accounts.callers import Caller

MAX_CLUSTERS = 2000
POLL_EVERY_S = 0.2

#: A quarter of the web threads may wait for news; the rest go on answering (DESIGN 6a).
_seats = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 4))


@transaction.atomic
def create(*, caller: Caller, name: str, public_url: str) -> Gateway:
    """Register a gateway; its agent is started beside its Envoy with the id that this makes.

    Raises: NotAllowed, AlreadyExists.
    """
    caller.insist(Capability.ROLLOUT_OPERATE)
    insist_name(name)
    if Gateway.objects.filter(workspace=caller.workspace, name=name).exists():
        raise AlreadyExists(f"There is a gateway “{name}” already.", code="gateway_exists")
    gateway = Gateway(workspace=caller.workspace, name=name, public_url=public_url.rstrip("/"))
    gateway.save(force_insert=True)
    record(
        Action.GATEWAY_CREATED,
        actor=caller.actor,
        object_type="gateway",
        object_id=str(gateway.uid),
        object_name=name,
        after={"public_url": gateway.public_url},
    )
    return gateway


def insist_name(name: str) -> None:
    """Names stand in URLs and in the gateway's configuration: small letters, digits, hyphens."""
    if not re.fullmatch(ROUTE_NAME, name):
        reason = "1 to 63 small letters, digits and hyphens, not starting with a hyphen."
        raise Invalid(reason, fields={"name": [reason]})


def get(*, caller: Caller, uid: str | UUID) -> Gateway:
    """A gateway of the caller's workspace.

    Raises: NotFound.
    """
    gateway = Gateway.objects.filter(workspace=caller.workspace, uid=uid).first()
    if gateway is None:
        raise NotFound("There is no such gateway.", code="gateway_not_found")
    return gateway


def bump(gateway_id: int) -> int:
    """A new revision is wanted; call it in the transaction that changes weights. Returns it."""
    Gateway.objects.filter(pk=gateway_id).update(revision=F("revision") + 1, revised_at=Now())
    return Gateway.objects.values_list("revision", flat=True).get(pk=gateway_id)


def configuration(gateway: Gateway) -> dict[str, Any]:
    """The whole configuration at the gateway's present revision.

    Revision and targets are of one moment, or an acknowledgement would lie: weights and revision
    change in one transaction, so what was read between two equal revisions belongs to them.
    """
    while True:
        revision = _revision(gateway)
        timeouts = dict(gateway.routes.values_list("name", "timeout_ms"))
        targets: dict[str, list[Target]] = {}
        for target in (
            RouteTarget.objects.filter(route__gateway=gateway)
            .select_related("route", "endpoint", "version__model")
            .order_by("route__name", "pk")
        ):
            targets.setdefault(target.route.name, []).append(_target(target))
        if _revision(gateway) == revision:
            routes = [
                RouteConfig(name, timeout, tuple(targets.get(name, [])))
                for name, timeout in timeouts.items()
            ]
            return render(revision, routes)


def wait_for_change(gateway: Gateway, known_revision: int, wait_s: float) -> bool:
    """Whether the wanted revision differs from ``known_revision`` within ``wait_s`` seconds.

    At most a quarter of the web threads wait; without a seat the answer is that of this moment.
    """
    if _revision(gateway) != known_revision:
        return True
    if wait_s <= 0 or not _seats.acquire(blocking=False):
        return False
    try:
        deadline = time.monotonic() + wait_s
        while (left := deadline - time.monotonic()) > 0:
            if not connection.in_atomic_block:
                connection.close()  # a waiting agent holds no database connection
            time.sleep(min(POLL_EVERY_S, left))
            if _revision(gateway) != known_revision:
                return True
        return False
    finally:
        _seats.release()


def _revision(gateway: Gateway) -> int:
    return Gateway.objects.values_list("revision", flat=True).get(pk=gateway.pk)


@transaction.atomic
def report(*, caller: Caller, gateway: Gateway, status: Mapping[str, Any]) -> None:
    """Take the agent's word: what is applied, what was refused and why, the counters.

    Raises: Invalid when the counters are not of the agreed form.
    """
    counters = status["counters"]
    if len(counters) > MAX_CLUSTERS:
        raise Invalid("Too many clusters.", code="too_many_clusters")
    locked = Gateway.objects.select_for_update().get(pk=gateway.pk)
    refused, applied = int(status["refused_revision"]), int(status["applied_revision"])
    # What was never asked for (an Envoy with files of another life) acknowledges nothing.
    refused = refused if refused <= locked.revision else 0
    applied = applied if applied <= locked.revision else 0
    newly_refused = refused > locked.refused_revision
    reason = str(status["refused_reason"])[:1000] if newly_refused else locked.refused_reason
    Gateway.objects.filter(pk=gateway.pk).update(
        applied_revision=applied,
        refused_revision=max(refused, locked.refused_revision),
        refused_reason=reason,
        counters=counters,
        counters_at=Now(),
        agent_seen_at=Now(),
    )
    if newly_refused:
        record(
            Action.GATEWAY_CONFIG_REFUSED,
            actor=caller.actor,
            object_type="gateway",
            object_id=str(gateway.uid),
            object_name=gateway.name,
            details={"revision": refused, "reason": str(status["refused_reason"])[:500]},
        )


def _target(target: RouteTarget) -> Target:
    return Target(
        cluster=target.cluster,
        label=f"{target.version.model.name} {target.version.number}".encode("ascii", "replace")
        .decode()
        .replace("%", "%%"),
        weight=target.weight,
        address=target.address,
        port=target.port,
        host=target.host,
        prefix=target.path,
        tls=target.tls,
    )
