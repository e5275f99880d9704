"""Background work about artifacts: check big uploads, inspect files, clear away what was left."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from accounts.callers import Caller
from audit.actor import Actor
from common.errors import Unavailable
from jobs import schedules
from jobs.errors import Fail, Retry
from jobs.registry import Done, register
from registry.artifacts.content import ContentDiffers
from registry.models import Artifact, ArtifactUpload
from registry.services import artifacts, inspections, leftovers, uploads

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.services.claim import Claim

SWEEP_SECONDS = 600.0


@register(artifacts.INSPECT_JOB)
def inspect_artifact(job: Job, claim: Claim) -> Done:
    """Safe to run twice: what is inspected stays so. Unreadable is a result, not a fault."""
    try:
        artifact = inspections.run(artifact_uid=job.payload["artifact"], claim=claim)
    except Unavailable as error:
        raise Retry(error.message, code=error.code) from error
    if artifact.state == Artifact.State.UNREADABLE:
        return Done({"state": artifact.state}, message=artifact.state_reason[:200])
    return Done({"state": artifact.state}, message="Inspected.")


@register(uploads.VERIFY_JOB)
def verify_upload(job: Job, claim: Claim) -> Done:
    """Safe to run twice: a stored name holds the whole file or none, and the row is made once."""
    upload = (
        ArtifactUpload.objects.select_related(
            "workspace", "created_by", "created_through", "artifact"
        )
        .filter(uid=job.payload["upload"])
        .first()
    )
    if upload is None or upload.state != ArtifactUpload.State.VERIFYING:
        return Done(message="Nothing to do.")
    caller = _began_by(upload, job, claim)
    try:
        done = uploads.verify(
            upload=upload, caller=caller, heartbeat=partial(claim.save, message="Checking it.")
        )
    except Unavailable as error:
        raise Retry(error.message, code=error.code) from error
    except ContentDiffers as error:
        artifacts.record_refusal(error, caller=caller, sha256=upload.sha256)
        raise Fail(error.message, code=error.code) from error
    sha256 = done.artifact.sha256 if done.artifact is not None else ""
    return Done({"sha256": sha256}, message="Stored.")


def _began_by(upload: ArtifactUpload, job: Job, claim: Claim) -> Caller:
    """Ourselves, in the name of whoever began the upload: theirs is the artifact."""
    who = upload.created_through or upload.created_by
    actor = Actor(
        pid=who.pid,
        kind="user" if upload.created_through is None else "token",
        label=str(who),
        workspace=upload.workspace.slug,
        auth={"method": "internal"},
        job={"id": str(job.uid), "fence": claim.fence},
    )
    return replace(Caller.system("registry", upload.workspace), actor=actor)


schedules.register("registry.artifact_uploads", every_s=SWEEP_SECONDS, func=leftovers.sweep)
