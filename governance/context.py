"""What the top bar shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Counts beside the top bar's links, for signed-in people only."""
    return {"nav": {}}
