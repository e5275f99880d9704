"""Why a version scores as it does: SHAP values over its endpoint, within a budget.

The sampler asks in the same order whenever it gets the same answers, so its calls are numbered and
kept like scored batches: after a kill it runs again from the start over the kept answers and goes
on with the first call that nobody answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from evaluation.errors import CannotCompute, needed
from evaluation.explain import background, sampler
from evaluation.models import ScoredBatch
from evaluation.services import frame as frames
from evaluation.services import rows, scoring
from evaluation.services.differential import shown
from serving.traffic import score_batches

if TYPE_CHECKING:
    from evaluation.models import Evidence
    from jobs.services.claim import Claim

#: Real rows that the background is chosen from, and the rows of the global picture with them.
POOL_ROWS = 2000
DEFAULT_CALL_ROWS = 1000


class OutOfTime(Exception):
    """This claim's budget is used up; the next goes on from the kept answers."""


class EndpointModel:
    """The endpoint as a function of rows; every numbered call is kept, and asked only once."""

    def __init__(self, evidence: Evidence, claim: Claim) -> None:
        self.evidence, self.claim = evidence, claim
        self.endpoint = needed(evidence.endpoint, "endpoint to ask")
        self.size = min(
            int(evidence.params.get("batch_rows", DEFAULT_CALL_ROWS)), self.endpoint.max_batch_rows
        )
        kept = ScoredBatch.objects.filter(evidence=evidence, arm=scoring.EXPLAINED)
        self.kept = {batch.index: bytes(batch.scores) for batch in kept.order_by("index")}
        self.calls = 0
        self.rows = 0
        self.asked = 0  # in this claim: each asks at least once, however late it is
        self.most = int(evidence.params["max_model_rows"])

    def __call__(self, wanted: list[dict[str, Any]]) -> NDArray[np.float64]:
        parts = [wanted[at : at + self.size] for at in range(0, len(wanted), self.size)]
        answers: list[NDArray[np.float64]] = []
        while len(answers) < len(parts) and self.calls in self.kept:
            answers.append(np.frombuffer(self.kept[self.calls], dtype="<f8"))
            self._count(len(answers[-1]))
        if len(answers) < len(parts):
            answers.extend(self._ask(parts[len(answers) :]))
        return np.concatenate(answers)

    def _ask(self, parts: list[list[dict[str, Any]]]) -> list[NDArray[np.float64]]:
        if self.asked:
            self._pause_if_late()
        first = self.calls
        answers = []
        deadline = scoring.deadline_s(self.endpoint, self.claim)
        for index, prediction in score_batches(
            self.endpoint, parts, concurrency=scoring.CONCURRENCY, deadline_s=deadline
        ):
            with transaction.atomic():
                self.claim.insist_mine()
                scoring.store(
                    self.evidence,
                    scoring.EXPLAINED,
                    first + index,
                    prediction.scores,
                    prediction.latency_ms,
                )
                self._count(len(prediction.scores))
                self.claim.save(
                    progress=scoring.CALLS_SHARE * min(1.0, self.rows / self.most),
                    message=f"{self.rows:,} of at most {self.most:,} model rows asked",
                )
            answers.append(prediction.scores)
            self.asked += 1
            if index + 1 < len(parts):
                self._pause_if_late()
        return answers

    def _count(self, rows: int) -> None:
        self.calls += 1
        self.rows += rows

    def _pause_if_late(self) -> None:
        self.claim.stop_if_cancelled()
        if scoring.is_late(self.endpoint, self.claim):
            raise OutOfTime


def compute(evidence: Evidence, claim: Claim) -> tuple[dict[str, Any], list[str]]:
    """The result and the digests of what went in.

    Raises: OutOfTime, CannotCompute, EndpointUnavailable, EndpointRejected, Cancelled, LeaseLost.
    """
    dataset = needed(evidence.dataset, "dataset")
    endpoint = needed(evidence.endpoint, "endpoint to ask")
    params = evidence.params
    features: list[str] = list(endpoint.input_columns)
    pool = rows.selection(dataset.rows, {"max_rows": POOL_ROWS}, evidence.seed)
    data = rows.rows_at(dataset, features, [int(number) for number in pool])
    chosen, weights = background.choose(
        data,
        features,
        size=int(params["background_rows"]),
        method=str(params["background"]),
        seed=evidence.seed,
    )
    asked = [int(number) for number in params.get("rows", [])]
    generator = np.random.default_rng(evidence.seed + 1)
    size = min(int(params["sample_rows"]), len(pool))
    sampled = [int(n) for n in np.sort(generator.choice(pool, size=size, replace=False))]
    numbers = [*sampled, *(number for number in asked if number not in set(sampled))]
    explained = rows.rows_at(dataset, features, numbers)
    model = EndpointModel(evidence, claim)
    try:
        found = sampler.explain(
            model,
            explained,
            [data[int(index)] for index in chosen],
            features,
            weights=weights,
            seed=evidence.seed,
            target_error=float(params["target_error"]),
            max_pairs=int(params["max_pairs"]),
            max_model_rows=int(params["max_model_rows"]),
        )
    except sampler.BudgetTooSmall as error:
        raise CannotCompute(f"{error}.", code="budget_too_small") from None
    picture = _part(found, len(sampled))
    positions = {number: index for index, number in enumerate(numbers)}
    shown_rows = asked or _telling(found, sampled, frames.threshold_of(evidence))
    result = {
        "features": features,
        "base_value": found.base_value,
        "global": sampler.global_importance(picture),
        "global_rows": len(sampled),
        "rows": [
            _row(found, explained, positions[number], number, features) for number in shown_rows
        ],
        "exact": found.permutations == 0,
        "budget": {
            "calls": model.calls,
            "model_rows": found.model_rows,
            "permutations": found.permutations,
            "background": len(chosen),
        },
        "additivity_error": found.additivity_error,
        "latency_ms": scoring.latency_of(evidence, scoring.EXPLAINED),
    }
    return result, [dataset.digest]


def _part(found: sampler.Attribution, count: int) -> sampler.Attribution:
    """The first ``count`` rows: the random ones, which the global picture may be drawn from."""
    return sampler.Attribution(
        found.columns,
        found.values[:count],
        found.errors[:count],
        found.scores[:count],
        found.base_value,
        found.permutations,
        found.model_rows,
        found.additivity_error,
    )


def _telling(found: sampler.Attribution, sampled: list[int], threshold: float) -> list[int]:
    """Where nobody named rows: the highest score, the lowest, and the nearest to the threshold."""
    scores = found.scores[: len(sampled)]
    indices = [int(scores.argmax()), int(np.abs(scores - threshold).argmin()), int(scores.argmin())]
    return [sampled[index] for index in dict.fromkeys(indices)]


def _row(
    found: sampler.Attribution,
    explained: list[dict[str, Any]],
    position: int,
    number: int,
    features: list[str],
) -> dict[str, Any]:
    errors = np.nan_to_num(found.errors[position], nan=0.0)
    return {
        "row": number,
        "score": float(found.scores[position]),
        "values": [float(value) for value in found.values[position]],
        "se": [float(error) for error in errors],
        "data": {name: shown(explained[position][name]) for name in features},
    }
