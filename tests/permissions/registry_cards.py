"""How a model's versions are gated, and their cards."""

from __future__ import annotations

from typing import Any

from accounts.roles import Capability
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory
from tests.factories.registry_cards import CardRevisionFactory
from tests.permissions import Row


def a_model(workspace: Any) -> dict[str, Any]:
    return {"name": RegisteredModelFactory(workspace=workspace).name}


def a_version(workspace: Any) -> dict[str, Any]:
    version = ModelVersionFactory(model=RegisteredModelFactory(workspace=workspace))
    return {"name": version.model.name, "number": version.number}


def a_section(workspace: Any) -> dict[str, Any]:
    return {**a_version(workspace), "key": "limits"}


def a_revision(workspace: Any) -> dict[str, Any]:
    version = CardRevisionFactory(version__model__workspace=workspace).version
    return {"name": version.model.name, "number": version.number, "revision": 1}


EDIT = Capability.MODEL_EDIT
VIEW = Capability.VIEW

ROWS = [
    Row("registry:model-gating", {"post": EDIT}, a_model),
    Row("registry:card", {"get": VIEW}, a_version),
    Row("registry:card-start", {"post": EDIT}, a_version),
    Row("registry:card-section", {"get": EDIT, "post": EDIT}, a_section),
    Row("registry:card-revision", {"get": VIEW}, a_revision),
    Row("v1:card-detail", {"get": VIEW, "put": EDIT}, a_version),
    Row("v1:card-revisions", {"get": VIEW}, a_version),
]
