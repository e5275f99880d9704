"""Session limits, and the workspace that a path names."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import get_script_prefix, set_script_prefix

from accounts import http, selectors
from accounts.sessions import STARTED

SEEN = "seen_at"
TOUCH_SECONDS = 60


class SessionLimitsMiddleware:
    """Ends a session after 30 minutes without a person's doing, or 12 hours after signing in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Without a cookie there is nothing to limit, and no reason to load a session.
        if request.session.session_key and request.user.is_authenticated:
            self._limit(request, int(time.time()))
        return self.get_response(request)

    def _limit(self, request: HttpRequest, now: int) -> None:
        session = request.session
        started = session.get(STARTED)
        if started is None:
            session[STARTED] = session[SEEN] = now
            return
        seen = session.get(SEEN, started)
        is_idle = now - seen > settings.SESSION_IDLE_SECONDS
        if is_idle or now - started > settings.SESSION_COOKIE_AGE:
            logout(request)
        elif now - seen >= TOUCH_SECONDS and not _is_poll(request):
            session[SEEN] = now


class WorkspaceMiddleware:
    """Takes ``/w/{slug}`` off the path: routes need not know it, and ``reverse()`` adds it again.

    A signed-in person gets 404 for a workspace that is not theirs, whether it exists or not.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.workspace_slug = None  # type: ignore[attr-defined]
        found = http.WORKSPACE_PREFIX.match(request.path_info)
        if found is None:
            return self.get_response(request)
        before = get_script_prefix()
        slug = found[1]
        request.workspace_slug = slug  # type: ignore[attr-defined]
        request.path_info = request.path_info[found.end() :] or "/"
        set_script_prefix(f"{before}w/{slug}/")
        try:
            if not _may_enter(request, slug):
                return _not_found(request)
            return self.get_response(request)
        finally:
            # The prefix belongs to the thread, and the thread serves the next request too.
            set_script_prefix(before)


def _may_enter(request: HttpRequest, slug: str) -> bool:
    """Anonymous callers pass: they get the sign-in page or 401, and learn nothing of the slug."""
    if "Authorization" in request.headers or not request.user.is_authenticated:
        return True
    held = selectors.memberships_by_workspace(request.user)
    return any(workspace.slug == slug for workspace in held)


def _not_found(request: HttpRequest) -> HttpResponse:
    from common.views import not_found

    return not_found(request, Http404("no such workspace"))


def _is_poll(request: HttpRequest) -> bool:
    """htmx asking by itself: an open page must not keep an abandoned session alive."""
    return request.method == "GET" and request.headers.get("HX-Request") == "true"
