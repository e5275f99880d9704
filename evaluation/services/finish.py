"""The ends of evidence: complete, failed, cancelled. Each is one transaction with its event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Now

from audit.actions import Action
from audit.services.record import record
from common.canonical import digest_of
from common.commit import after_commit
from evaluation.models import Evidence
from evaluation.results import plain
from evaluation.signals import evidence_finished

if TYPE_CHECKING:
    from audit.actor import Actor
    from jobs.models import Job
    from jobs.services.claim import Claim


def evidence_digest(evidence: Evidence) -> str:
    """What is signed: what was asked, of which bytes, and what came out."""
    return digest_of(
        {
            "kind": str(evidence.kind),
            "origin": str(evidence.origin),
            "release": evidence.version.release_digest,
            "baseline": evidence.baseline.release_digest if evidence.baseline else None,
            "data": evidence.data_digests,
            "params": evidence.params,
            "seed": evidence.seed,
            "result": evidence.result,
        }
    )


@transaction.atomic
def complete(
    *, claim: Claim, evidence: Evidence, result: dict[str, Any], data_digests: list[str]
) -> Evidence:
    """Write the result once; whoever lost the job's lease writes nothing. Raises: LeaseLost."""
    claim.insist_mine()
    present = _locked(evidence.pk)
    if present.state == Evidence.State.COMPLETE:
        return present
    present.result = plain(result)
    present.data_digests = sorted(data_digests)
    seal(present, actor=claim.caller("evaluation").actor)
    present.batches.all().delete()
    return present


def seal(evidence: Evidence, *, actor: Actor) -> None:
    """Give it its digest and make it complete; from here on a trigger keeps it as it is."""
    evidence.digest = evidence_digest(evidence)
    evidence.state = Evidence.State.COMPLETE
    evidence.error = evidence.error_code = ""
    evidence.completed_at = Now()
    evidence.save()
    evidence.refresh_from_db(fields=["completed_at", "result"])
    _record(Action.EVIDENCE_COMPLETED, evidence, actor, details={"state": "complete"})
    _announce(evidence)


@transaction.atomic
def fail(*, claim: Claim, evidence: Evidence, code: str, message: str) -> Evidence:
    """Could not be computed, and says why; it can be asked again. Raises: LeaseLost."""
    claim.insist_mine()
    present = _locked(evidence.pk)
    if not present.is_terminal:
        end(
            present,
            Evidence.State.FAILED,
            actor=claim.caller("evaluation").actor,
            code=code,
            message=message,
        )
    return present


@transaction.atomic
def cancelled(*, claim: Claim, evidence: Evidence) -> Evidence:
    """Stopped because somebody asked for it. Raises: LeaseLost."""
    claim.insist_mine()
    present = _locked(evidence.pk)
    if not present.is_terminal:
        end(present, Evidence.State.CANCELLED, actor=claim.caller("evaluation").actor)
    return present


def end(
    evidence: Evidence,
    state: Evidence.State,
    *,
    actor: Actor,
    code: str = "",
    message: str = "",
) -> None:
    """Failed or cancelled, in the caller's transaction; the row must be locked by it."""
    evidence.state = state
    evidence.error_code = code[:64]
    evidence.error = " ".join(message.replace("\x00", "").split())[:1000]
    evidence.save(update_fields=["state", "error_code", "error"])
    evidence.batches.all().delete()
    if state == Evidence.State.FAILED:
        _record(Action.EVIDENCE_FAILED, evidence, actor, details={"code": evidence.error_code})
    else:
        _record(Action.EVIDENCE_CANCELLED, evidence, actor)
    _announce(evidence)


@transaction.atomic
def settle(job: Job) -> Evidence | None:
    """Bring evidence after its job when that ended without the handler: reaped, killed, cancelled.

    The handler's own transaction is the rule; this is the second line. Safe to call at any time.
    """
    from audit.actor import Actor
    from jobs.models import Job as Jobs

    found = Evidence.objects.filter(job=job).values_list("pk", flat=True).first()
    if found is None:
        return None
    present = _locked(found)
    if present.is_terminal or present.job_id != job.pk:
        return None
    actor = Actor.system("evaluation", workspace=present.workspace.slug)
    if job.state == Jobs.State.CANCELLED:
        end(present, Evidence.State.CANCELLED, actor=actor)
    elif job.state in (Jobs.State.FAILED, Jobs.State.NEEDS_OPERATOR):
        end(
            present,
            Evidence.State.FAILED,
            actor=actor,
            code=job.error_code or "job_failed",
            message=job.error or "The work on it was given up.",
        )
    else:
        return None
    return present


def settle_all() -> int:
    """Every evidence whose job is over but which does not know it; how many there were."""
    from jobs.models import Job

    waiting = Evidence.objects.filter(
        state__in=[Evidence.State.WAITING, Evidence.State.RUNNING],
        job__state__in=[Job.State.FAILED, Job.State.CANCELLED, Job.State.NEEDS_OPERATOR],
    ).select_related("job")
    return sum(settle(evidence.job) is not None for evidence in waiting if evidence.job)


def announce_again(evidence: Evidence) -> None:
    """For a job that died between its commit and its last word."""
    evidence_finished.send_robust(sender=Evidence, evidence=evidence)


def _locked(pk: int) -> Evidence:
    return (
        Evidence.objects.select_for_update(of=("self",))
        .select_related("workspace", "version__model", "baseline__model", "dataset")
        .get(pk=pk)
    )


def _announce(evidence: Evidence) -> None:
    after_commit(evidence_finished.send_robust, sender=Evidence, evidence=evidence)


def _record(
    action: Action, evidence: Evidence, actor: Actor, *, details: dict[str, Any] | None = None
) -> None:
    record(
        action,
        actor=actor,
        workspace=evidence.workspace.slug,
        object_type="evidence",
        object_id=str(evidence.uid),
        object_name=f"{evidence.get_kind_display()} of {evidence.version}"[:255],
        object_digest=evidence.digest or "",
        details={
            "kind": str(evidence.kind),
            "origin": str(evidence.origin),
            "version": str(evidence.version.uid),
            "release": evidence.version.release_digest,
            **(details or {}),
        },
    )
