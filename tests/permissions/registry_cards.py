"""How a model's versions are gated, and their cards."""

from __future__ import annotations

from typing import Any

from accounts.roles import Capability
from tests.factories.registry import RegisteredModelFactory
from tests.permissions import Row


def a_model(workspace: Any) -> dict[str, Any]:
    return {"name": RegisteredModelFactory(workspace=workspace).name}


EDIT = Capability.MODEL_EDIT

ROWS = [
    Row("registry:model-gating", {"post": EDIT}, a_model),
]
