"""What the registry's facts mean for endpoints. A failure here is nobody's registration's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving import selectors
from serving.services import provide

if TYPE_CHECKING:
    from registry.models import ModelVersion


def on_version_registered(sender: Any, version: ModelVersion, **kwargs: Any) -> None:
    """A version without an endpoint gets one, where its model says how."""
    if selectors.has_source(version.model_id):
        provide.begin(version=version)


def on_version_tag_set(sender: Any, version: ModelVersion, key: str, **kwargs: Any) -> None:
    """The tag that names the endpoint may come after the version."""
    if key == provide.TAG:
        version.refresh_from_db(fields=["tags"])
        provide.begin(version=version)
