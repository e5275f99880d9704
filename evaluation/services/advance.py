"""One claim of an evidence job: score, compute, finish. Safe to run again at any moment."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import transaction

from common.errors import DomainError
from evaluation.models import Evidence
from evaluation.services import differential, evaluate, explain, fairness, finish, scoring
from jobs.errors import Cancelled, Fail, LeaseLost, Retry
from jobs.registry import Continue, Done
from serving.errors import EndpointUnavailable

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.services.claim import Claim

logger = logging.getLogger(__name__)


def advance(job: Job, claim: Claim) -> Done | Continue:
    """Work on one evidence for at most one claim's budget.

    Raises: Retry, Fail, Cancelled, LeaseLost, as ``jobs.registry`` wants them.
    """
    evidence = _begin(job, claim)
    if evidence.state == Evidence.State.COMPLETE:
        finish.announce_again(evidence)
        return Done({"evidence": str(evidence.uid)}, "The result was there already.")
    try:
        if evidence.origin == Evidence.Origin.MEASURED and evidence.kind != "explanation":
            if (pause := scoring.score(evidence, claim)) is not None:
                return pause
            claim.save(progress=scoring.CALLS_SHARE, message="Computing the figures")
        result, digests = _compute(evidence, claim)
    except explain.OutOfTime:
        return Continue(cursor=dict(job.cursor), message=job.message, progress=job.progress)
    except EndpointUnavailable as error:
        if job.attempts + 1 < job.max_attempts:
            raise Retry(error.message, error.code) from error
        raise _failed(evidence, claim, error.code, _last_word(evidence, error)) from error
    except Cancelled:
        finish.cancelled(claim=claim, evidence=evidence)
        raise
    except DomainError as error:
        raise _failed(evidence, claim, error.code, _last_word(evidence, error)) from error
    except (LeaseLost, Retry):
        raise
    done = finish.complete(claim=claim, evidence=evidence, result=result, data_digests=digests)
    return Done({"evidence": str(done.uid), "digest": done.digest}, "The result is complete.")


@transaction.atomic
def _begin(job: Job, claim: Claim) -> Evidence:
    """Mark it running under our fence; what a failed attempt left behind is computed again."""
    claim.insist_mine()
    evidence = (
        Evidence.objects.select_for_update(of=("self",))
        .select_related(
            "workspace",
            "version__model__workspace",
            "baseline__model",
            "dataset",
            "endpoint__workspace",
            "endpoint__version__model__workspace",
            "baseline_endpoint__workspace",
            "baseline_endpoint__version__model__workspace",
            "predictions",
            "baseline_predictions",
        )
        .get(uid=job.payload["evidence"])
    )
    if evidence.state in (Evidence.State.COMPLETE, Evidence.State.RUNNING):
        return evidence
    evidence.state = Evidence.State.RUNNING
    evidence.error = evidence.error_code = ""
    evidence.save(update_fields=["state", "error", "error_code"])
    return evidence


def _compute(evidence: Evidence, claim: Claim) -> tuple[dict[str, Any], list[str]]:
    if evidence.kind == Evidence.Kind.EXPLANATION:
        return explain.compute(evidence, claim)
    makers: dict[str, Any] = {
        Evidence.Kind.EVALUATION: evaluate.compute,
        Evidence.Kind.DIFFERENTIAL: differential.compute,
        Evidence.Kind.FAIRNESS: fairness.compute,
    }
    result, digests = makers[evidence.kind](evidence)
    return dict(result), digests


def _failed(evidence: Evidence, claim: Claim, code: str, message: str) -> Fail:
    logger.warning("evidence %s could not be computed: %s", evidence.uid, code)
    finish.fail(claim=claim, evidence=evidence, code=code, message=message)
    return Fail(message, code)


def _last_word(evidence: Evidence, error: DomainError) -> str:
    """The endpoint's errors say “it”; here stands who that was."""
    if error.__class__.__module__ != "serving.errors":
        return error.message
    names = " or ".join(endpoint.name for _, endpoint in scoring.arms(evidence))
    return f"The endpoint {names} could not be used. {error.message}"
