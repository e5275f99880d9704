"""Environments of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.models import Environment

if TYPE_CHECKING:
    from accounts.models import Workspace

#: Name, position, protected alias.
DEFAULTS = (("staging", 10, "staging"), ("production", 20, "champion"))


def make_defaults(*, workspace: Workspace) -> None:
    """The environments that every workspace starts with; those that are there stay as they are."""
    Environment.objects.bulk_create(
        [
            Environment(workspace=workspace, name=name, position=position, alias=alias)
            for name, position, alias in DEFAULTS
        ],
        ignore_conflicts=True,
    )
