"""MLflow's API before sessions, cookies and pages: nothing of theirs has a say in it.

What asks here are machines with tokens. Answering them this early spares each call a dozen
middlewares made for browsers, and keeps every answer JSON, whatever cookie or host comes along.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, resolve

from accounts.http import WORKSPACE_PREFIX
from registry.mlflow import errors
from registry.mlflow.http import unknown

PREFIX = "/api/2.0/mlflow/"


class MlflowLane:
    """Answers what lies under ``/api/2.0/mlflow/``, with or without ``/w/{slug}`` before it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.views: dict[str, Callable[..., HttpResponse]] | None = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        slug = None
        if path.startswith("/w/"):
            found = WORKSPACE_PREFIX.match(path)
            if found is not None:
                slug, path = found[1], path[found.end() :]
        if not path.startswith(PREFIX):
            return self.get_response(request)
        try:
            request.get_host()
        except SuspiciousOperation:
            return errors.response(errors.invalid("This server does not answer to that host."))
        request.workspace_slug = slug  # type: ignore[attr-defined]
        request.path_info = path
        view, words = self._view(path)
        return view(request, **words)

    def _view(self, path: str) -> tuple[Callable[..., HttpResponse], dict[str, Any]]:
        if self.views is None:
            self.views = _fixed()
        view = self.views.get(path[len(PREFIX) :])
        if view is not None:
            return view, {}
        match = resolve(path)
        return match.func, match.kwargs


def _fixed() -> dict[str, Callable[..., HttpResponse]]:
    """Paths without words of their own, by their text: most calls."""
    from registry.mlflow.urls import urlpatterns

    return {
        str(pattern.pattern): pattern.callback
        for pattern in urlpatterns
        if isinstance(pattern, URLPattern)
        and pattern.callback is not unknown
        and "<" not in str(pattern.pattern)
    }
