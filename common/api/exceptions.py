"""Every API error as ``application/problem+json`` (RFC 9457): one table from error to status."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from common import errors

CONTENT_TYPE = "application/problem+json"

#: The most particular class first: the first match wins.
STATUS: tuple[tuple[type[errors.DomainError], int], ...] = (
    (errors.TooLarge, 413),
    (errors.Invalid, 400),
    (errors.NotAllowed, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Unavailable, 503),
    (errors.DomainError, 400),
)


def status_of(error: errors.DomainError) -> int:
    """The HTTP status of a domain error."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def problem(
    status: int, *, title: str, code: str, detail: str = "", **extra: Any
) -> dict[str, Any]:
    """A problem document. ``type`` is a stable URN, since there is no public site to point at."""
    body: dict[str, Any] = {
        "type": f"urn:countersign:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
    }
    if detail:
        body["detail"] = detail
    body.update({key: value for key, value in extra.items() if value})
    return body


def handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: domain errors, DRF's own, Django's 404 and 403; no bugs."""
    if request := context.get("request"):
        # A problem is JSON, also where the answer would have been YAML, CSV or a zip.
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
    if isinstance(exc, errors.DomainError):
        set_rollback()
        status = status_of(exc)
        body = problem(
            status,
            title=exc.title,
            code=exc.code,
            detail=exc.message,
            errors=exc.fields,
            **exc.extra,
        )
        return Response(body, status=status, content_type=CONTENT_TYPE)
    if isinstance(exc, Http404):
        exc = drf.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = drf.PermissionDenied()
    if not isinstance(exc, drf.APIException):
        return None
    set_rollback()
    return _from_drf(exc)


def _from_drf(exc: drf.APIException) -> Response:
    headers = {}
    if header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    fields: Any = {}
    detail = ""
    code = exc.default_code
    if isinstance(exc, drf.ValidationError):
        code = "invalid"
        if isinstance(exc.detail, dict):
            fields = exc.detail
            detail = "; ".join(f"{name}: {_first(value)}" for name, value in exc.detail.items())
        else:
            detail = _first(exc.detail)
    else:
        detail = str(exc.detail)
        code = getattr(exc.detail, "code", code) or code
    body = problem(
        exc.status_code,
        title=HTTPStatus(exc.status_code).phrase,
        code=str(code),
        detail=detail[:1000],
        errors=fields,
    )
    return Response(body, status=exc.status_code, content_type=CONTENT_TYPE, headers=headers)


def _first(value: Any) -> str:
    while isinstance(value, (list, tuple, dict)) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return str(value)


def problem_response(error: errors.DomainError) -> JsonResponse:
    """The same document from a plain Django view or middleware."""
    status = status_of(error)
    body = problem(status, title=error.title, code=error.code, detail=error.message)
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)


def wants_problem(request: HttpRequest) -> bool:
    """Whether this path speaks JSON: the API's and the agents' do."""
    path = request.path_info
    return path.startswith(("/api/", "/xds/"))
