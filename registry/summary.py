"""The figures of the inventory's sentence: over the whole workspace, whatever is filtered.

Counting takes what the inventory holds. A small one is counted for every page. A big one is counted
at most once in ``FRESH_S``; while somebody looks at it a schedule counts ahead of them, so that no
page waits, and the page says how old the figures are.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.urls import get_script_prefix

from registry import selectors
from registry.models import Alias
from registry.needs import last_alias, needs
from registry.ports import inventory_parts

if TYPE_CHECKING:
    from accounts.models import Workspace

#: So many models are counted for every page.
COUNTED_ALWAYS = 1000
FRESH_S = 60
_WATCHED_S = 600
_WATCHED = "registry.summary.watched"


@dataclass(frozen=True, slots=True)
class Summary:
    """``needs`` is ``(key, count, words)``, ``remarks`` are ``(text, address)``."""

    models: int
    live: int
    needs: list[tuple[str, int, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    #: When it was counted, where that is not now; seconds since 1970.
    counted: float | None = None

    @property
    def counted_at(self) -> datetime | None:
        return None if self.counted is None else datetime.fromtimestamp(self.counted, UTC)


def summary(workspace: Workspace) -> Summary:
    """The figures, counted now or, of a big inventory, within the last minutes."""
    if selectors.models_for(workspace)[COUNTED_ALWAYS:].values("pk")[:1].exists():
        _watch(workspace)
        return _kept(workspace) or _keep(workspace)
    return count(workspace)


def count(workspace: Workspace) -> Summary:
    """The figures as they are now."""
    models = selectors.models_for(workspace).order_by()
    live = Alias.objects.filter(
        ended_at=None,
        name=last_alias(workspace),
        model__workspace=workspace,
        model__deleted_at=None,
    )
    found = []
    for need in needs():
        number = need.narrow(models, workspace).count()
        if number:
            found.append((need.key, number, need.one if number == 1 else need.several))
    remarks = [
        (remark.text, remark.url)
        for part in inventory_parts()
        for remark in part.remarks(workspace=workspace)
    ]
    return Summary(models.count(), live.count(), found, remarks)


def refresh() -> int:
    """Count the big inventories that somebody looked at lately (schedule); how many."""
    from accounts.models import Workspace

    watched = [pk for pk, until in _watched().items() if until > _now()]
    for workspace in Workspace.objects.filter(pk__in=watched):
        _keep(workspace)
    return len(watched)


def _keep(workspace: Workspace) -> Summary:
    found = asdict(count(workspace)) | {"counted": _now()}
    found["remarks"] = [(text, _without_prefix(url)) for text, url in found["remarks"]]
    # Kept for longer than it is fresh: the schedule may be late, and old figures say so.
    cache.set(_key(workspace), json.dumps(found), timeout=FRESH_S * 3)
    return _kept(workspace) or count(workspace)


def _kept(workspace: Workspace) -> Summary | None:
    text = cache.get(_key(workspace))
    if text is None:
        return None
    found = json.loads(text)
    found["needs"] = [(key, number, words) for key, number, words in found["needs"]]
    found["remarks"] = [(text, _with_prefix(url)) for text, url in found["remarks"]]
    return Summary(**found)


def _key(workspace: Workspace) -> str:
    return f"registry.summary.{workspace.pk}"


def _watch(workspace: Workspace) -> None:
    watched = {pk: until for pk, until in _watched().items() if until > _now()}
    if watched.get(workspace.pk, 0.0) < _now() + _WATCHED_S / 2:
        watched[workspace.pk] = _now() + _WATCHED_S
        cache.set(_WATCHED, json.dumps(watched), timeout=_WATCHED_S)


def _watched() -> dict[int, float]:
    return {int(pk): until for pk, until in json.loads(cache.get(_WATCHED) or "{}").items()}


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _without_prefix(url: str) -> str:
    """The address as it is without ``/w/{workspace}/``, which every reader has of their own."""
    prefix = get_script_prefix()
    return "/" + url.removeprefix(prefix) if url.startswith(prefix) else url


def _with_prefix(url: str) -> str:
    return get_script_prefix() + url[1:] if url.startswith("/") else url
