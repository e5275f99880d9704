"""What a file says of itself: asked in a process of its own, kept beside the artifact."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.files.storage import default_storage
from django.db import transaction

from accounts.callers import Caller
from audit.actions import Action
from audit.services import record as audit
from registry.artifacts import content
from registry.artifacts.inspection.run import InspectionFailed, inspect
from registry.models import Artifact

if TYPE_CHECKING:
    from jobs.services.claim import Claim

SECONDS = 60.0


def run(*, artifact_uid: str, claim: Claim) -> Artifact:
    """The job's part. Safe to run twice; a file that crashes its reader is a result.

    Raises: LeaseLost; Unavailable (the storage does not answer: to be tried again).
    """
    artifact = Artifact.objects.select_related("workspace").get(uid=artifact_uid)
    if artifact.state != Artifact.State.INSPECTING:
        return artifact
    found: dict[str, Any] = {}
    failed: InspectionFailed | None = None
    try:
        with (
            content.storage_trouble(),
            default_storage.open(artifact.storage_name, "rb") as file,
        ):
            found = inspect(
                file,
                format=artifact.format,
                size=artifact.size,
                timeout_s=min(SECONDS, claim.remaining_s()),
                heartbeat=partial(claim.save, message="Reading the file."),
            )
    except InspectionFailed as error:
        failed = error
    return _finish(artifact, found, failed, claim)


@transaction.atomic
def _finish(
    artifact: Artifact, found: dict[str, Any], failed: InspectionFailed | None, claim: Claim
) -> Artifact:
    claim.insist_mine()
    present = Artifact.objects.select_for_update(of=("self",)).get(pk=artifact.pk)
    if present.state != Artifact.State.INSPECTING:
        return present
    present.state = Artifact.State.UNREADABLE if failed else Artifact.State.INSPECTED
    present.state_reason = failed.message[:500] if failed else ""
    present.inspection = found
    present.save(update_fields=["state", "state_reason", "inspection"])
    audit.record(
        Action.ARTIFACT_INSPECTED,
        actor=Caller.system("registry", artifact.workspace).actor,
        workspace=artifact.workspace.slug,
        object_type="artifact",
        object_id=artifact.sha256,
        object_digest=f"sha256:{artifact.sha256}",
        after={"state": str(present.state), "format": present.format},
        details={"code": failed.code} if failed else None,
    )
    return present
