"""The one refusal of a search."""

from __future__ import annotations

from common.errors import Invalid

_SHOWN = 200


class SearchRefused(Invalid):
    """Filter, order, page size or token is not one; MLflow's INVALID_PARAMETER_VALUE, 400."""

    code = "invalid_search"
    title = "The search is not valid"


def shown(text: str) -> str:
    """A caller's own text for a message: not without end."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
