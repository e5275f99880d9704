"""Copies: ``models:/name/3`` as a source says that a version is another one's release again.

The source itself is inert text. What it names is looked up in the caller's own workspace, once,
when the copy is registered: later renames and deletions do not reach it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from registry import selectors
from registry.release import ReleaseInput

if TYPE_CHECKING:
    from accounts.models import Workspace
    from registry.models import ModelVersion

_COPY = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<number>[0-9]{1,10})|@(?P<alias>[^/@]+))\Z")


def original(workspace: Workspace, source: str) -> ModelVersion | None:
    """The version that the source names, or None where it names something else.

    Raises: NotFound when it names a version or an alias that is not there.
    """
    found = _COPY.match(source)
    if found is None:
        return None
    if found["alias"] is not None:
        model = selectors.get_model(workspace, found["name"])
        return selectors.get_alias(model, found["alias"]).version
    return selectors.get_version(workspace, found["name"], int(found["number"]))


def release_of(version: ModelVersion, *, source: str) -> ReleaseInput:
    """The original's release for its copy: the same content, and where it was copied from."""
    content = version.release
    copied = content.get("extra", {}).get("copied_from", {})
    parent = version.derived_from
    return ReleaseInput(
        artifacts=content.get("artifacts", ()),
        source=source,
        run_id=version.run_id,
        git_commit=version.git_commit,
        git_authors=content.get("git_authors", ()),
        decision_threshold=version.decision_threshold,
        signature=version.signature,
        consumption=version.consumption,
        image=content.get("image", ""),
        features=content.get("features", ""),
        training=content.get("training", {}),
        # By the names that they have now; the digests are looked up again.
        datasets=[
            {"name": it.dataset.name, "use": it.use}
            for it in version.datasets.select_related("dataset")
        ],
        components=[
            {"model": it.component.model.name, "version": it.component.number}
            for it in version.component_rows.select_related("component__model")
        ],
        derived_from=(
            None
            if parent is None
            else {
                "model": parent.model.name,
                "version": parent.number,
                "derivation": version.derivation,
            }
        ),
        extra={**content.get("extra", {}), "copied_from": _named(version, copied)},
    )


def _named(version: ModelVersion, copied: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": version.model.name,
        "version": version.number,
        "digest": version.release_digest,
        # A copy of a copy lies where the first one does.
        "source": copied.get("source", version.source),
    }
