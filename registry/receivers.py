"""What the registry does when something below it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from accounts.signals import workspace_created
from registry.services import environments

if TYPE_CHECKING:
    from accounts.models import Workspace


@receiver(workspace_created)
def give_environments(sender: Any, workspace: Workspace, **kwargs: Any) -> None:
    environments.make_defaults(workspace=workspace)
