"""Search for models and versions as MLflow's clients do it, a page at a time.

A page is one query for its rows and one for their aliases (for models, one more for their latest
versions), read by keyset: the hundredth page costs what the first one did, and rows that come and
go meanwhile neither repeat nor hide others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from common.db import fetch_all
from registry.mlflow.render import (
    MODEL_COLUMNS,
    MODEL_JOINS,
    MODEL_SELECT,
    VERSION_COLUMNS,
    VERSION_JOINS,
    VERSION_SELECT,
    model_json,
    version_json,
)
from registry.mlflow.rows import latest_versions, model_aliases, version_aliases
from registry.mlflow.search import sql
from registry.mlflow.search.errors import SearchRefused
from registry.mlflow.search.grammar import MODELS, VERSIONS, Entity, parse_filter, parse_order
from registry.mlflow.search.pages import search_key, token_after, values_of

if TYPE_CHECKING:
    from accounts.models import Workspace

__all__ = ["Page", "SearchRefused", "search_models", "search_versions"]

MODELS_DEFAULT, MODELS_MOST = 100, 1000
VERSIONS_DEFAULT, VERSIONS_MOST = 10_000, 200_000
#: However many are asked for, an answer ends here and names the next page; clients go on by it.
PAGE_MOST = 10_000


class Page(NamedTuple):
    """``rows`` are ready for JSON; ``next_page_token`` is empty on the last page."""

    rows: list[dict[str, Any]]
    next_page_token: str


def search_models(
    workspace: Workspace | int,
    *,
    filter: str | None = None,
    order_by: Sequence[str] = (),
    max_results: int | None = None,
    page_token: str | None = None,
) -> Page:
    """A page of the workspace's models, by name unless ordered otherwise. Raises: SearchRefused."""
    most = _page_size(max_results, default=MODELS_DEFAULT, most=MODELS_MOST)
    rows, token = _read(
        workspace, MODELS, filter=filter, order_by=order_by, most=most, page_token=page_token
    )
    ids = [row[0] for row in rows]
    latest, aliases = latest_versions(ids), model_aliases(ids)
    width = 1 + len(MODEL_COLUMNS)
    return Page(
        [model_json(row[1:width], latest.get(row[0], []), aliases.get(row[0], ())) for row in rows],
        token,
    )


def search_versions(
    workspace: Workspace | int,
    *,
    filter: str | None = None,
    order_by: Sequence[str] = (),
    max_results: int | None = None,
    page_token: str | None = None,
) -> Page:
    """A page of the workspace's versions, last changed first unless ordered otherwise.

    Raises: SearchRefused.
    """
    most = _page_size(max_results, default=VERSIONS_DEFAULT, most=VERSIONS_MOST)
    rows, token = _read(
        workspace, VERSIONS, filter=filter, order_by=order_by, most=most, page_token=page_token
    )
    aliases = version_aliases([row[0] for row in rows])
    width = 1 + len(VERSION_COLUMNS)
    return Page([version_json(row[1:width], aliases.get(row[0], ())) for row in rows], token)


def _page_size(asked: int | None, *, default: int, most: int) -> int:
    if asked is None:
        return default
    if asked < 1:
        raise SearchRefused(
            f"Invalid value for max_results. It must be a positive integer, but got {asked}"
        )
    if asked > most:
        raise SearchRefused(
            "Invalid value for request parameter max_results. "
            f"It must be at most {most}, but got value {asked}"
        )
    return min(asked, PAGE_MOST)


_FROM = {
    "models": (
        f"m.id, {MODEL_SELECT}",
        f"registry_registeredmodel m {MODEL_JOINS}",
        "m.workspace_id = %s AND m.deleted_at IS NULL",
    ),
    "versions": (
        f"v.id, {VERSION_SELECT}",
        f"registry_modelversion v {VERSION_JOINS}",
        "v.workspace_id = %s AND m.workspace_id = v.workspace_id AND v.deleted_at IS NULL "
        "AND m.deleted_at IS NULL",
    ),
}


def _read(
    workspace: Workspace | int,
    entity: Entity,
    *,
    filter: str | None,
    order_by: Sequence[str],
    most: int,
    page_token: str | None,
) -> tuple[list[Any], str]:
    clauses = parse_filter(filter, entity)
    orders = sql.whole_order(parse_order(order_by, entity), entity)
    workspace_id = workspace if isinstance(workspace, int) else workspace.pk
    kind = "models" if entity is MODELS else "versions"
    key = search_key(kind, workspace_id, filter or "", orders)
    select, tables, base = _FROM[kind]
    where, parameters = sql.conditions(clauses, entity)
    parameters = [workspace_id, *parameters]
    if page_token:
        values = values_of(page_token, key, types=[sql.packed_type(order) for order in orders])
        start = sql.after(
            orders,
            entity,
            [sql.unpacked(order, value) for order, value in zip(orders, values, strict=True)],
        )
        where += f" AND ({start.text})"
        parameters += start.parameters
    statement = (
        f"SELECT {select}, {sql.order_values(orders, entity)} "  # noqa: S608 -- constants only
        f"FROM {tables} WHERE {base} AND {where} "
        f"ORDER BY {sql.order_by(orders, entity)} LIMIT %s"
    )
    rows = fetch_all(statement, [*parameters, most + 1])
    if len(rows) <= most:
        return rows, ""
    rows = rows[:most]
    return rows, token_after(rows[-1][-len(orders) :], key)
