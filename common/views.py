"""Health, readiness, and the error pages, which answer problem+json where JSON is spoken."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from common.api import exceptions


@login_not_required
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Ready for traffic: the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("database does not answer\n", content_type="text/plain", status=503)
    return HttpResponse("ready\n", content_type="text/plain")


def _error(request: HttpRequest, status: int, title: str, code: str) -> HttpResponse:
    if exceptions.wants_problem(request):
        body = exceptions.problem(status, title=title, code=code)
        return JsonResponse(body, status=status, content_type=exceptions.CONTENT_TYPE)
    return render(request, f"{status}.html", status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, 400, "Bad request", "bad_request")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, 403, "Forbidden", "forbidden")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, 404, "Not found", "not_found")


def server_error(request: HttpRequest) -> HttpResponse:
    if exceptions.wants_problem(request):
        body = exceptions.problem(500, title="Internal error", code="internal_error")
        return JsonResponse(body, status=500, content_type=exceptions.CONTENT_TYPE)
    return defaults.server_error(request)
