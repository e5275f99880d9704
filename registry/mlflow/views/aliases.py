"""``registered-models/alias``: let one stand, take it off, ask where it stands.

The alias of an environment says what is live. It moves by an approved promotion only; whoever
tries to set it is told, at once and once, which request would let it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.roles import Capability
from common.errors import DomainError, NotFound
from registry.errors import ProtectedAlias
from registry.mlflow import names, reads
from registry.mlflow.errors import MlflowError
from registry.mlflow.http import Call, endpoint, operation
from registry.mlflow.params import Name, Number, Text
from registry.models import ModelVersion
from registry.ports import RequestRef, alias_guard
from registry.services import aliases

VIEW, EDIT = Capability.VIEW, Capability.MODEL_EDIT


@operation(EDIT, name=Name(), alias=Text(required=True), version=Number())
def set_alias(call: Call, *, name: str, alias: str, version: int) -> Mapping[str, Any]:
    alias = names.alias(alias)
    row = reads.version_row(call.workspace_id, name, version)
    row.model.workspace = call.caller.workspace
    try:
        with aliases.refusals_recorded(
            caller=call.caller, model=row.model, name=alias, version=row
        ):
            aliases.move(caller=call.caller, model=row.model, name=alias, version=row)
    except ProtectedAlias as error:
        raise _protected(call, row, alias, error) from None
    return {}


@operation(EDIT, name=Name(), alias=Text(required=True))
def delete_alias(call: Call, *, name: str, alias: str) -> Mapping[str, Any]:
    alias = names.any_alias(alias)
    model = reads.model_row(call.workspace_id, name)
    model.workspace = call.caller.workspace
    try:
        with aliases.refusals_recorded(caller=call.caller, model=model, name=alias, version=None):
            aliases.move(caller=call.caller, model=model, name=alias, version=None)
    except NotFound:
        # It stands nowhere, which is what was asked for.
        return {}
    return {}


@operation(VIEW, name=Name(), alias=Text(required=True))
def get_alias(call: Call, *, name: str, alias: str) -> Mapping[str, Any]:
    alias = names.any_alias(alias)
    return {"model_version": reads.version_by_alias(call.workspace_id, name, alias)}


alias_view = endpoint(get=get_alias, post=set_alias, delete=delete_alias)


def _protected(call: Call, version: ModelVersion, alias: str, error: ProtectedAlias) -> MlflowError:
    """403 with the promotion request that would let it: what there is, or is opened now."""
    request = _request_for(call, version, alias)
    message = error.message
    if request is not None:
        message = (
            f"Alias '{alias}' is protected: it says what is live, so only an approved promotion "
            f"moves it. {request.label} asks for version {version.number} of {version.model.name} "
            f"and is {request.status}: {request.url}"
        )
    elif not call.bearer.may(Capability.REQUEST_OPEN):
        message += " Nothing was asked for either: that needs the scope “requests:write”, and a "
        message += "role that may ask."
    return MlflowError("PERMISSION_DENIED", message, reason=error.code)


def _request_for(call: Call, version: ModelVersion, alias: str) -> RequestRef | None:
    guard = alias_guard()
    if guard is None:
        return None
    try:
        return guard.request_for(
            caller=call.caller, model=version.model, name=alias, version=version
        )
    except DomainError:
        # The refusal stands, whatever comes of asking.
        return None
