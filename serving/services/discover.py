"""What answers at addresses that this workspace may dial, and that nobody registered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.db import connection

from common.errors import DomainError
from outbound import client, resolve
from outbound.services.destinations import policy_for
from registry.importing.compare import Found
from registry.importing.source import API
from serving.selectors import endpoints_for

if TYPE_CHECKING:
    from accounts.models import Workspace
    from outbound.addresses import Opening
    from outbound.responses import Response

#: A network of more addresses than these is not walked through, and not more places than those.
MAX_ADDRESSES = 256
MAX_PLACES = 2048
DEADLINE_S = 3.0
SIDE_BY_SIDE = 8
_VERSION = re.compile(rb"\d{1,3}\.\d{1,3}[\w.+-]{0,40}\s*\Z")

Place = tuple[str, int]


def unregistered_servers(
    workspace: Workspace, *, known_registries: frozenset[Place] = frozenset()
) -> Iterator[Found]:
    """MLflow scoring servers that no endpoint points at, and registries that were not named.

    Only the places that an administrator opened are asked, each by three GETs.
    """
    found = list(islice(places(workspace), MAX_PLACES + 1))
    if len(found) > MAX_PLACES:
        yield Found("too many", f"{MAX_PLACES:,} places", "allow-list", "the rest is not asked")
        found = found[:MAX_PLACES]
    served = served_places(workspace)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        answers = pool.map(partial(_look, workspace), found)
        for place, kinds in zip(found, answers, strict=True):
            where = f"http://{_host(place[0])}:{place[1]}"
            for kind, detail in kinds:
                if kind == "scoring server" and place in served:
                    continue
                if kind == "registry" and place in known_registries:
                    continue
                yield Found(kind, where, "allow-list", detail)


def places(workspace: Workspace) -> Iterator[Place]:
    """Host and port of every place that the allow-list opens, wide networks left out."""
    seen: set[Place] = set()
    for opening in policy_for(workspace).openings:
        for host in _hosts(opening):
            for port in range(opening.first_port, opening.last_port + 1):
                if (host, port) not in seen:
                    seen.add((host, port))
                    yield host, port


def served_places(workspace: Workspace) -> frozenset[Place]:
    """Where endpoints point at, by name and by every address that the name has now."""
    served: set[Place] = set()
    for url in endpoints_for(workspace).filter(retired_at=None).values_list("url", flat=True):
        served |= places_of(url)
    return frozenset(served)


def places_of(url: str) -> set[Place]:
    """The place of a URL, and its addresses."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        answers = resolve.answers(host, port, timeout_s=2.0)
    except DomainError:
        answers = []
    return {(host, port), *((str(address), port) for address in answers)}


def _hosts(opening: Opening) -> list[str]:
    if opening.host:
        return [opening.host]
    if opening.network.num_addresses > MAX_ADDRESSES:
        return []
    if opening.network.num_addresses == 1:
        return [str(opening.network.network_address)]
    return [str(address) for address in opening.network.hosts()]


def _look(workspace: Workspace, place: Place) -> list[tuple[str, str]]:
    """What answers there: pairs of a kind and what is known of it."""
    try:
        return _kinds(workspace, f"http://{_host(place[0])}:{place[1]}")
    finally:
        connection.close()  # each thread has its own


def _kinds(workspace: Workspace, base: str) -> list[tuple[str, str]]:
    ping = _get(workspace, f"{base}/ping")
    if ping is None:
        return []
    kinds = []
    version = _get(workspace, f"{base}/version") if ping.status == 200 else None
    if version is not None and version.status == 200 and _VERSION.match(version.content):
        kinds.append(("scoring server", f"mlflow {version.content.decode().strip()}"))
    listed = _get(workspace, f"{base}{API}registered-models/search?max_results=1")
    if listed is not None and _is_registry(listed):
        kinds.append(("registry", "speaks MLflow's registry API"))
    return kinds


def _get(workspace: Workspace, url: str) -> Response | None:
    try:
        return client.request(
            "GET",
            url,
            workspace=workspace,
            deadline_s=DEADLINE_S,
            max_bytes=1_000_000,
            purpose="discover",
        )
    except DomainError:
        return None


def _is_registry(answer: Response) -> bool:
    try:
        body = json.loads(answer.content)
    except ValueError:
        return False
    if not isinstance(body, dict):
        return False
    if answer.status == 200:
        return not body or isinstance(body.get("registered_models"), list)
    return "error_code" in body


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
