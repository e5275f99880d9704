"""The allow-list: who opened which private address, and the policy that follows from it."""

from __future__ import annotations

import ipaddress
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services.record import record
from common.errors import AlreadyExists, Conflict, Invalid
from embedded import state
from jobs.clock import ClockTimestamp
from outbound import resolve
from outbound.addresses import (
    Network,
    Opening,
    Pinned,
    Policy,
    is_loopback,
    is_public,
    openable,
    parse_openings,
    parse_url,
)
from outbound.errors import DeadlineExceeded, DestinationNotFound, Unreachable
from outbound.models import Destination

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import Workspace

_HOST = re.compile(
    r"^(?=.{1,253}$)[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*$"
)
_OWN_FOR_S = 60


@transaction.atomic
def allow(*, cidr: str, port: int, host: str = "", reason: str, caller: Caller) -> Destination:
    """Open these private addresses on this port for the caller's workspace.

    Raises:
        NotAllowed: the caller is no administrator.
        Invalid: no network, a port out of range, or one that nothing opens.
        AlreadyExists: the same entry is in force.
    """
    caller.insist(Capability.WORKSPACE_ADMIN)
    network, host, reason = _checked(cidr, port, host, reason)
    entry = Destination(
        workspace=caller.workspace,
        cidr=str(network),
        port=port,
        host=host,
        reason=reason,
        created_by_pid=caller.actor.pid,
        created_by_label=caller.label[:200],
    )
    try:
        with transaction.atomic():
            entry.save(force_insert=True)
    except IntegrityError:
        raise AlreadyExists(f"{entry} is open already.") from None
    entry.refresh_from_db()
    _tell(Action.DESTINATION_ALLOWED, entry, caller, after=_facts(entry))
    return entry


@transaction.atomic
def revoke(*, uid: UUID | str, caller: Caller) -> Destination:
    """Close an entry again; it stays readable.

    Raises: NotAllowed, DestinationNotFound; Conflict when it is closed already.
    """
    caller.insist(Capability.WORKSPACE_ADMIN)
    entry = (
        Destination.objects.select_for_update().filter(workspace=caller.workspace, uid=uid).first()
    )
    if entry is None:
        raise DestinationNotFound("There is no such entry in this workspace.")
    if not entry.is_in_force:
        raise Conflict("This entry is revoked already.", code="already_revoked")
    entry.revoked_at = ClockTimestamp()
    entry.revoked_by_pid = caller.actor.pid
    entry.revoked_by_label = caller.label[:200]
    entry.save(update_fields=["revoked_at", "revoked_by_pid", "revoked_by_label"])
    entry.refresh_from_db()
    _tell(Action.DESTINATION_REVOKED, entry, caller, before=_facts(entry))
    return entry


def policy_for(workspace: Workspace) -> Policy:
    """What this workspace may dial now. One query."""
    rows = Destination.objects.in_force().filter(workspace=workspace)
    entries = tuple(
        Opening(ipaddress.ip_network(cidr), port, port, host)
        for cidr, port, host in rows.values_list("cidr", "port", "host")
    )
    ports, elsewhere = _own(int(time.monotonic() // _OWN_FOR_S))
    return Policy(
        openings=parse_openings(settings.OUTBOUND_ALLOW) + entries,
        own_ports=ports,
        own=elsewhere,
    )


def may_quote(workspace: Workspace, *, host: str, address: str, port: int) -> bool:
    """Whether what this address answers may be shown to the workspace's administrators.

    Public answers anybody can read. Of a private one nothing is shown unless this workspace's own
    allow-list opened it: a range that the installation's setting opens for everybody would let
    each workspace read what stands behind it.
    """
    literal = ipaddress.ip_address(address)
    if is_public(literal):
        return True
    entries = Destination.objects.in_force().filter(workspace=workspace, port=port)
    return any(
        Opening(ipaddress.ip_network(cidr), port, port, name).admits(host, literal, port)
        for cidr, name in entries.values_list("cidr", "host")
    )


def check_url(url: str, workspace: Workspace) -> Pinned:
    """Where a call to this URL would go now. The client checks again when it dials.

    Raises: AddressRefused; Unreachable or DeadlineExceeded when the name does not resolve.
    """
    target = parse_url(url)
    found = resolve.answers(target.host, target.port, timeout_s=5.0)
    addresses = policy_for(workspace).insist(host=target.host, port=target.port, answers=found)
    return Pinned(address=str(addresses[0]), port=target.port, host=target.host)


def own_places() -> frozenset[tuple[str, int]]:
    """(host, port) of our own web server, gateway administration, database and broker."""
    base = urlsplit(settings.BASE_URL)
    web = base.port or (443 if base.scheme == "https" else 80)
    first = settings.ENV.port  # a local run's block: web, gateway, its administration, database
    places = {(base.hostname or "localhost", web)}
    places |= {("localhost", port) for port in (first, first + 2, first + 3)}
    gateway = state.services(settings.VAR_DIR).get("envoy") or {}
    if "admin_port" in gateway:
        places.add(("localhost", int(gateway["admin_port"])))
    database = settings.DATABASES["default"]
    if not str(database["HOST"]).startswith("/"):
        places.add((database["HOST"] or "localhost", int(database["PORT"] or 5432)))
    broker = urlsplit(settings.ENV.redis_url)
    if broker.scheme != "unix":
        places.add((broker.hostname or "localhost", broker.port or 6379))
    return frozenset(places)


@lru_cache(maxsize=1)
def _own(period: int) -> tuple[frozenset[int], frozenset[tuple[str, int]]]:
    """Our own loopback ports and (address, port) pairs elsewhere, resolved anew each minute."""
    ports: set[int] = set()
    elsewhere: set[tuple[str, int]] = set()
    for host, port in own_places():
        try:
            found = resolve.answers(host, port, timeout_s=2.0)
        except (Unreachable, DeadlineExceeded):
            found = []  # a name that nobody can resolve leads nobody to us either
        for address in found:
            if is_loopback(address):
                ports.add(port)
            elsewhere.add((str(address), port))
    return frozenset(ports), frozenset(elsewhere)


def _checked(cidr: str, port: int, host: str, reason: str) -> tuple[Network, str, str]:
    fields: dict[str, list[str]] = {}
    network: Network | None = None
    try:
        network = ipaddress.ip_network(cidr.strip())
    except ValueError:
        fields["cidr"] = ["Write a network such as 10.1.0.0/16, with no bits beyond the mask."]
    if network is not None and (why := openable(network)) is not None:
        fields["cidr"] = [why]
    if not 1 <= port <= 65_535:
        fields["port"] = ["A port lies between 1 and 65535."]
    elif network is not None and _is_own(network, port):
        fields["port"] = ["This port is one of Countersign's own."]
    host = host.strip().rstrip(".").lower()
    if host and not _HOST.match(host):
        fields["host"] = ["Write a plain host name, or leave it empty."]
    reason = " ".join(reason.replace("\x00", "").split())
    if not reason or len(reason) > 500:
        fields["reason"] = ["Say why, in at most 500 characters."]
    if fields or network is None:
        name, messages = next(iter(fields.items()))
        raise Invalid(f"{name}: {messages[0]}", fields=fields)
    return network, host, reason


def _is_own(network: Network, port: int) -> bool:
    ports, _ = _own(int(time.monotonic() // _OWN_FOR_S))
    return is_loopback(network.network_address) and port in ports


def _facts(entry: Destination) -> dict[str, object]:
    return {"cidr": entry.cidr, "port": entry.port, "host": entry.host}


def _tell(
    action: Action,
    entry: Destination,
    caller: Caller,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    record(
        action,
        actor=caller.actor,
        object_type="destination",
        object_id=str(entry.uid),
        object_name=str(entry),
        before=before,
        after=after,
        pii={"reason": entry.reason},
    )
