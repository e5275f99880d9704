"""Reads of what stands beside a version's number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.errors import NotFound
from registry.selectors import get_model, versions_for
from registry.semver import why_not_semantic

if TYPE_CHECKING:
    from accounts.models import Workspace
    from registry.models import ModelVersion


def by_semantic(workspace: Workspace, name: str, semantic: str) -> ModelVersion:
    """The version of that model with this semantic version. Raises: NotFound."""
    model = get_model(workspace, name)
    if why_not_semantic(semantic) is None:
        found = versions_for(model).filter(semantic_version=semantic).first()
        if found is not None:
            return found
    raise NotFound(f"{model.name} has no version {semantic[:64]}.", code="version_not_found")
