"""``set-tag`` and ``delete-tag`` of models and of versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.roles import Capability
from registry.mlflow import names, reads
from registry.mlflow.http import Call, endpoint, operation
from registry.mlflow.params import Name, Number, Text
from registry.services import tags

EDIT = Capability.MODEL_EDIT


@operation(EDIT, name=Name(), key=Text(required=True), value=Text(required=True, may_be_empty=True))
def set_on_model(call: Call, *, name: str, key: str, value: str) -> Mapping[str, Any]:
    names.tag_key(key)
    names.tag_value(value)
    model = reads.model_row(call.workspace_id, name)
    tags.set_on_model(caller=call.caller, model=model, key=key, value=value)
    return {}


@operation(EDIT, name=Name(), key=Text(required=True))
def delete_from_model(call: Call, *, name: str, key: str) -> Mapping[str, Any]:
    names.tag_key(key)
    model = reads.model_row(call.workspace_id, name)
    tags.delete_from_model(caller=call.caller, model=model, key=key)
    return {}


@operation(
    EDIT,
    name=Name(),
    version=Number(),
    key=Text(required=True),
    value=Text(required=True, may_be_empty=True),
)
def set_on_version(
    call: Call, *, name: str, version: int, key: str, value: str
) -> Mapping[str, Any]:
    names.tag_key(key)
    names.tag_value(value)
    row = reads.version_row(call.workspace_id, name, version)
    tags.set_on_version(caller=call.caller, version=row, key=key, value=value)
    return {}


@operation(EDIT, name=Name(), version=Number(), key=Text(required=True))
def delete_from_version(call: Call, *, name: str, version: int, key: str) -> Mapping[str, Any]:
    names.tag_key(key)
    row = reads.version_row(call.workspace_id, name, version)
    tags.delete_from_version(caller=call.caller, version=row, key=key)
    return {}


model_set_view = endpoint(post=set_on_model)
model_delete_view = endpoint(delete=delete_from_model)
version_set_view = endpoint(post=set_on_version)
version_delete_view = endpoint(delete=delete_from_version)
