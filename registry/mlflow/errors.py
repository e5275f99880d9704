"""Refusals as MLflow's clients know them: ``{"error_code", "message"}`` with MLflow's statuses.

A client shows 400, 403 and 404 at once, and tries 408, 429 and 5xx again for minutes; so a refusal
is never one of the latter. A name that is taken is 400, not 409: clients match the code.
"""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse

from common import errors
from registry.errors import ProtectedAlias

MAX_SHOWN = 300

STATUS = {
    "INVALID_PARAMETER_VALUE": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "RESOURCE_CONFLICT": 409,
    "INTERNAL_ERROR": 500,
    "TEMPORARILY_UNAVAILABLE": 503,
}

#: The most particular class first: the first match wins.
_CODES: tuple[tuple[type[errors.DomainError], str], ...] = (
    (errors.AlreadyExists, "RESOURCE_ALREADY_EXISTS"),
    (errors.Invalid, "INVALID_PARAMETER_VALUE"),
    (ProtectedAlias, "PERMISSION_DENIED"),
    (errors.NotAllowed, "PERMISSION_DENIED"),
    # A gate or a policy stands in the way: that is said once, at once, and not tried again.
    (errors.Blocked, "PERMISSION_DENIED"),
    (errors.NotFound, "RESOURCE_DOES_NOT_EXIST"),
    (errors.Conflict, "RESOURCE_CONFLICT"),
    (errors.Unavailable, "TEMPORARILY_UNAVAILABLE"),
    (errors.DomainError, "INVALID_PARAMETER_VALUE"),
)


#: Conflicts that trying again cannot end: decisions, not states that pass.
_DECIDED = frozenset({"model_retired"})


class MlflowError(Exception):
    """A refusal in MLflow's own words. ``reason`` is our code, which tells more than theirs."""

    def __init__(self, error_code: str, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.error_code = error_code
        self.message = message
        self.reason = reason


def invalid(message: str) -> MlflowError:
    """INVALID_PARAMETER_VALUE with this sentence."""
    return MlflowError("INVALID_PARAMETER_VALUE", message, reason="invalid")


def missing(name: str) -> MlflowError:
    """A required parameter is not there."""
    return invalid(
        f"Missing value for required parameter '{name}'. "
        "See the API docs for more information about request parameters."
    )


def model_not_found(name: str) -> MlflowError:
    message = f"Registered Model with name={shown(name)} not found"
    return MlflowError("RESOURCE_DOES_NOT_EXIST", message, reason="not_found")


def version_not_found(name: str, version: str | int) -> MlflowError:
    message = f"Model Version (name={shown(name)}, version={version}) not found"
    return MlflowError("RESOURCE_DOES_NOT_EXIST", message, reason="not_found")


def model_exists(name: str) -> MlflowError:
    return MlflowError(
        "RESOURCE_ALREADY_EXISTS", f"Registered Model (name={shown(name)}) already exists."
    )


def alias_not_found(alias: str) -> MlflowError:
    """MLflow answers 400 to an alias that stands nowhere."""
    return invalid(f"Registered model alias {shown(alias)} not found.")


def shown(value: Any) -> str:
    """A value as a message can repeat it: bounded, and without what breaks a line of log."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def from_domain(error: errors.DomainError) -> MlflowError:
    """A refusal of ours in MLflow's code; the sentence stays."""
    if error.code in _DECIDED:
        return MlflowError("PERMISSION_DENIED", error.message, reason=error.code)
    code = next(code for kind, code in _CODES if isinstance(error, kind))
    return MlflowError(code, error.message, reason=error.code)


def response(error: MlflowError, *, status: int | None = None) -> HttpResponse:
    """The answer that a client turns into ``RestException``."""
    body: dict[str, Any] = {"error_code": error.error_code, "message": error.message}
    if error.reason:
        body["reason"] = error.reason
    return HttpResponse(
        json.dumps(body),
        status=status or STATUS[error.error_code],
        content_type="application/json",
    )
