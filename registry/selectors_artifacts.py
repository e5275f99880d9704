"""Reads of artifacts and uploads, always within one workspace."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import QuerySet

from common.errors import Invalid, NotAllowed, NotFound
from registry.artifacts.formats import Format, format_of
from registry.models import Artifact, ArtifactUpload

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import Workspace
    from registry.models import ModelVersion

_SHA256 = re.compile(r"\A(?:sha256:)?([0-9a-fA-F]{64})\Z")


def insist_sha256(value: str, *, field: str = "sha256") -> str:
    """64 hexadecimal digits in lower case. Raises: Invalid."""
    found = _SHA256.match(value)
    if found is None:
        reason = "A SHA-256 has 64 hexadecimal digits."
        raise Invalid(reason, code="invalid_digest", fields={field: [reason]})
    return found[1].lower()


def artifacts_for(workspace: Workspace) -> QuerySet[Artifact]:
    """The workspace's artifacts, the newest first."""
    return Artifact.objects.filter(workspace=workspace).order_by("-pk")


def find_artifact(workspace: Workspace, sha256: str) -> Artifact | None:
    return Artifact.objects.filter(workspace=workspace, sha256=sha256).first()


def get_artifact(workspace: Workspace, sha256: str) -> Artifact:
    """The artifact of that digest. Raises: NotFound, also where another workspace has it."""
    digest = _SHA256.match(sha256)
    found = find_artifact(workspace, digest[1].lower()) if digest else None
    if found is None:
        raise NotFound("There is no such artifact.")
    return found


def get_upload(caller: Caller, uid: UUID | str) -> ArtifactUpload:
    """The caller's own upload. Raises: NotFound; NotAllowed (somebody else's)."""
    found = (
        ArtifactUpload.objects.filter(workspace=caller.workspace, uid=uid)
        .select_related("artifact")
        .first()
    )
    if found is None:
        raise NotFound("There is no such upload.")
    insist_own(caller, found)
    return found


def insist_own(caller: Caller, upload: ArtifactUpload) -> None:
    """An upload belongs to whoever began it: nobody else adds to it or ends it."""
    service = caller.service_account.pk if caller.service_account is not None else None
    person = caller.user.pk if caller.user is not None else None
    if (upload.created_by_id, upload.created_through_id) != (person, service):
        raise NotAllowed("Somebody else began this upload.", code="not_your_upload")


@dataclass(frozen=True, slots=True)
class Listed:
    """An artifact that a release names, and what is stored here under its digest."""

    name: str
    sha256: str
    size: int
    artifact: Artifact | None

    @property
    def size_agrees(self) -> bool | None:
        """None where nothing is stored, or the release says no size."""
        if self.artifact is None or not self.size:
            return None
        return self.artifact.size == self.size

    @property
    def format(self) -> Format | None:
        return format_of(self.artifact.format) if self.artifact is not None else None


def listed_artifacts(version: ModelVersion) -> list[Listed]:
    """What the version's release names, each stored here or referenced only; one query."""
    named: list[dict[str, Any]] = version.release.get("artifacts") or []
    stored = {
        artifact.sha256: artifact
        for artifact in Artifact.objects.filter(
            workspace_id=version.workspace_id, sha256__in=[it.get("sha256", "") for it in named]
        )
    }
    return [
        Listed(
            name=str(it.get("name", "")),
            sha256=str(it.get("sha256", "")),
            size=int(it.get("size") or 0),
            artifact=stored.get(str(it.get("sha256", ""))),
        )
        for it in named
    ]


def versions_naming(artifact: Artifact, most: int = 50) -> QuerySet[ModelVersion]:
    """The workspace's versions whose release names this digest, the newest first."""
    from registry.models import ModelVersion

    return (
        ModelVersion.objects.filter(
            workspace_id=artifact.workspace_id,
            deleted_at=None,
            model__deleted_at=None,
            release__artifacts__contains=[{"sha256": artifact.sha256}],
        )
        .select_related("model")
        .order_by("-pk")[:most]
    )
