"""Asking the endpoints: every batch once, kept as it comes, gone on with after a kill."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.db import transaction
from numpy.typing import NDArray

from evaluation.errors import CannotCompute, needed
from evaluation.models import ScoredBatch
from evaluation.services import rows
from jobs.registry import Continue
from serving.traffic import score_batches

if TYPE_CHECKING:
    from evaluation.models import Evidence
    from jobs.services.claim import Claim
    from serving.models import Endpoint

logger = logging.getLogger(__name__)
CANDIDATE, BASELINE, EXPLAINED = "candidate", "baseline", "explanation"
CONCURRENCY = 2
#: Least that is left of a claim's budget when no further batch is begun: the figures fit in.
MARGIN_S = 20.0
#: Share of the bar that the calls take; the rest is arithmetic.
CALLS_SHARE = 0.95


def arms(evidence: Evidence) -> list[tuple[str, Endpoint]]:
    """Which endpoints are asked, in order."""
    found: list[tuple[str, Endpoint]] = []
    if evidence.endpoint is not None:
        found.append((CANDIDATE, evidence.endpoint))
    if evidence.baseline_endpoint is not None:
        found.append((BASELINE, evidence.baseline_endpoint))
    return found


def deadline_s(endpoint: Endpoint, claim: Claim) -> float:
    """Total seconds for one call: the endpoint's own, but never beyond our lease or budget."""
    lease = float(settings.JOB_LEASE_SECONDS) * 0.75
    return max(0.5, min(endpoint.timeout_ms / 1000, lease, claim.remaining_s()))


def is_late(endpoint: Endpoint, claim: Claim) -> bool:
    """Whether what is left of this claim is too little for one more call at its slowest."""
    return claim.remaining_s() < max(MARGIN_S, deadline_s(endpoint, claim) + 5.0)


def score(evidence: Evidence, claim: Claim) -> Continue | None:
    """Score what is not scored yet; None when every batch is there.

    Raises: EndpointUnavailable, EndpointRejected, Cancelled, LeaseLost.
    """
    dataset = needed(evidence.dataset, "dataset to score")
    chosen = rows.selection(dataset.rows, evidence.params, evidence.seed)
    asked = arms(evidence)
    total = len(chosen) * len(asked)
    for position, (arm, endpoint) in enumerate(asked):
        begun = _Progress(evidence, claim, arm, done=position * len(chosen), total=total)
        if (pause := _score_arm(evidence, claim, arm, endpoint, chosen, begun)) is not None:
            return pause
    return None


class _Progress:
    """Rows scored so far, over both arms, as a share and a sentence."""

    def __init__(
        self, evidence: Evidence, claim: Claim, arm: str, *, done: int, total: int
    ) -> None:
        self.done, self.total = done, total
        self._claim = claim
        version = evidence.version if arm == CANDIDATE else evidence.baseline
        self._of = f" (version {version.number})" if evidence.baseline and version else ""

    def add(self, count: int, cursor: dict[str, Any]) -> None:
        self.done += count
        self._claim.save(cursor=cursor, progress=self.share, message=self.sentence)

    @property
    def share(self) -> float:
        return CALLS_SHARE * self.done / max(1, self.total)

    @property
    def sentence(self) -> str:
        return f"{self.done:,} of {self.total:,} rows scored{self._of}"


def _score_arm(
    evidence: Evidence,
    claim: Claim,
    arm: str,
    endpoint: Endpoint,
    chosen: NDArray[np.int64],
    progress: _Progress,
) -> Continue | None:
    dataset = needed(evidence.dataset, "dataset to score")
    size = rows.batch_rows(evidence)
    start = ScoredBatch.objects.filter(evidence=evidence, arm=arm).count()
    progress.done += min(start * size, len(chosen))
    if start * size >= len(chosen):
        return None
    claim.stop_if_cancelled()
    pending = rows.batches(dataset, endpoint.input_columns, chosen, size)
    answers = score_batches(
        endpoint,
        pending,
        concurrency=CONCURRENCY,
        start=start,
        deadline_s=deadline_s(endpoint, claim),
    )
    for index, prediction in answers:
        with transaction.atomic():
            claim.insist_mine()
            store(evidence, arm, index, prediction.scores, prediction.latency_ms)
            progress.add(len(prediction.scores), {"arm": arm, "batch": index + 1})
        claim.stop_if_cancelled()
        if progress.done < progress.total and is_late(endpoint, claim):
            return Continue(
                cursor={"arm": arm, "batch": index + 1},
                message=progress.sentence,
                progress=progress.share,
            )
    return None


def store(
    evidence: Evidence, arm: str, index: int, scores: NDArray[np.float64], latency_ms: float
) -> None:
    """Keep one batch; a second one under the same number violates ``scored_batch_once``."""
    ScoredBatch.objects.create(
        evidence=evidence,
        arm=arm,
        index=index,
        rows=len(scores),
        scores=np.ascontiguousarray(scores, dtype="<f8").tobytes(),
        latency_ms=latency_ms,
    )


def scores_of(evidence: Evidence, arm: str, expected: int) -> NDArray[np.float64]:
    """All scores of an arm in row order.

    Raises: CannotCompute when a batch is missing, which would shift every later row.
    """
    kept = list(ScoredBatch.objects.filter(evidence=evidence, arm=arm).order_by("index"))
    if [batch.index for batch in kept] != list(range(len(kept))):
        raise CannotCompute("A scored batch is missing.", code="batch_missing")
    parts = [np.frombuffer(bytes(batch.scores), dtype="<f8") for batch in kept]
    scores = np.concatenate(parts) if parts else np.empty(0)
    if scores.size != expected:
        raise CannotCompute(
            f"{scores.size:,} scores for {expected:,} rows.", code="wrong_number_of_scores"
        )
    return scores.astype(np.float64)


def latency_of(evidence: Evidence, arm: str) -> dict[str, float]:
    """Milliseconds per call and per row, as seen from here while scoring in batches."""
    kept = ScoredBatch.objects.filter(evidence=evidence, arm=arm)
    pairs = list(kept.values_list("latency_ms", "rows"))
    if not pairs:
        return {}
    latencies = np.array([latency for latency, _ in pairs])
    p50, p95 = np.quantile(latencies, (0.5, 0.95))
    count = sum(count for _, count in pairs)
    return {
        "p50": float(p50),
        "p95": float(p95),
        "per_row_mean": float(latencies.sum() / max(1, count)),
        "calls": len(pairs),
    }
