"""From a request to a call and back: the token's door, the method, the parameters, MLflow's JSON.

Plain functions without REST framework: these endpoints are asked by every step of every pipeline.
Cookies are never looked at, so there is nothing that another site could forge.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.api.authentication import credential, in_address
from accounts.roles import RULES, Capability, Role
from accounts.services import door
from common.errors import DomainError
from registry.mlflow import errors, params
from registry.mlflow.errors import MlflowError

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.services.door import Bearer

logger = logging.getLogger(__name__)

REALM = 'Basic realm="countersign", charset="UTF-8"'


class Call:
    """One call that was let in: who, from where; ``caller`` is built when it is first needed."""

    __slots__ = ("_caller", "bearer", "request", "workspace_id")

    def __init__(self, request: HttpRequest, bearer: Bearer) -> None:
        self.request = request
        self.bearer = bearer
        self.workspace_id = bearer.workspace_id
        self._caller: Caller | None = None

    @property
    def caller(self) -> Caller:
        if self._caller is None:
            self._caller = self.bearer.caller(self.request)
        return self._caller


Handler = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one URL needs and does."""

    capability: Capability
    fields: Mapping[str, params.Field]
    handler: Handler


def operation(capability: Capability, **fields: params.Field) -> Callable[[Handler], Operation]:
    """``handler(call, **parameters) -> dict``: what it answers is the body of a 200."""

    def decorate(handler: Handler) -> Operation:
        return Operation(capability, fields, handler)

    return decorate


def endpoint(**by_method: Operation) -> Callable[..., HttpResponse]:
    """The view of one URL: ``endpoint(get=…, post=…)``. Words in the URL go to the handler."""
    operations = {method.upper(): operation for method, operation in by_method.items()}
    allow = ", ".join(operations)

    @csrf_exempt
    @login_not_required
    def view(request: HttpRequest, **words: Any) -> HttpResponse:
        try:
            bearer = _let_in(request)
            operation = operations.get(request.method or "")
            if operation is None:
                return _no_such_method(request, allow)
            if not bearer.may(operation.capability):
                raise _not_allowed(bearer, operation.capability)
            given = params.read(request, operation.fields)
            body = operation.handler(Call(request, bearer), **words, **given)
        except MlflowError as error:
            return refused(error)
        except DomainError as error:
            return refused(errors.from_domain(error))
        except (OperationalError, InterfaceError):
            logger.exception("the database did not answer %s", request.path_info)
            return refused(MlflowError("TEMPORARILY_UNAVAILABLE", "Try again in a moment."))
        except Exception:
            logger.exception("a call failed: %s %s", request.method, request.path_info)
            return refused(MlflowError("INTERNAL_ERROR", "Something went wrong here."))
        return HttpResponse(json.dumps(body), content_type="application/json")

    view.operations = operations  # type: ignore[attr-defined]
    return view


@csrf_exempt
@login_not_required
def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    """What the contract does not have: ENDPOINT_NOT_FOUND, once the door was passed."""
    try:
        _let_in(request)
    except MlflowError as error:
        return refused(error)
    except DomainError as error:
        return refused(errors.from_domain(error))
    shown = errors.shown(request.path_info)
    return refused(MlflowError("ENDPOINT_NOT_FOUND", f"There is no endpoint {shown}"))


def refused(error: MlflowError) -> HttpResponse:
    """The refusal, with what a browser or a client needs to try again properly."""
    response = errors.response(error)
    if error.error_code == "UNAUTHENTICATED":
        response["WWW-Authenticate"] = REALM
    elif error.error_code == "TEMPORARILY_UNAVAILABLE":
        response["Retry-After"] = "1"
    return response


def _let_in(request: HttpRequest) -> Bearer:
    if in_address(request):  # type: ignore[arg-type]
        raise MlflowError(
            "UNAUTHENTICATED",
            "A token stands in the address, where proxies and logs keep it. Send it as "
            "“Authorization: Bearer …” or as the password, and revoke this one.",
            reason="token_in_url",
        )
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if not header:
        raise MlflowError(
            "UNAUTHENTICATED",
            "Send a token: as MLFLOW_TRACKING_TOKEN, or as the password in MLFLOW_REGISTRY_URI.",
            reason="not_signed_in",
        )
    slug = getattr(request, "workspace_slug", None)
    bearer = door.let_in(credential(header), slug=slug)
    if bearer is None:
        # One sentence for unknown, wrong, expired and revoked: a guesser learns nothing.
        raise MlflowError(
            "UNAUTHENTICATED",
            "The token is not valid, has expired or was revoked.",
            reason="token_invalid",
        )
    return bearer


def _not_allowed(bearer: Bearer, capability: Capability) -> MlflowError:
    rule = RULES[capability]
    if not rule.roles & bearer.roles:
        names = ", ".join(sorted(Role(role).label.lower() for role in rule.roles))
        return MlflowError(
            "PERMISSION_DENIED",
            f"This needs one of these roles in {bearer.workspace_slug}: {names}.",
            reason="role_missing",
        )
    return MlflowError(
        "PERMISSION_DENIED",
        f"This token lacks the scope “{rule.scope}”.",
        reason="scope_missing",
    )


def _no_such_method(request: HttpRequest, allow: str) -> HttpResponse:
    shown = errors.shown(request.path_info)
    error = MlflowError(
        "ENDPOINT_NOT_FOUND", f"There is no endpoint {request.method} {shown}; there is {allow}"
    )
    response = errors.response(error, status=405)
    response["Allow"] = allow
    return response
