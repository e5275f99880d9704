"""From the gateway's raw counters to what a step has seen, and to a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from delivery import analysis
from delivery.analysis import Block, OneSample, TwoSample
from delivery.models import RolloutSample, RolloutStep

if TYPE_CHECKING:
    from delivery.plan import Limits

EMPTY: dict[str, Any] = {"answers": 0, "bad": 0, "buckets": []}
#: Beside no live version, this rate of errors is still fine.
FLOOR = 0.01


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the figures say: ``pass``, ``fail`` or ``wait``, and a sentence."""

    kind: str
    sentence: str


@dataclass(slots=True)
class Question:
    """One sequential test of a rollout: with the live version beside it, then alone.

    Alone at 100 % the new version is judged by the upper bound of what the live version had
    shown. The mean of the two e-values is an e-value, so both may be looked at for one alpha.
    """

    beside: TwoSample = field(default_factory=TwoSample)
    alone: OneSample = field(default_factory=OneSample)

    @property
    def log_e(self) -> float:
        if self.alone.answers == 0:
            return self.beside.log_e
        return analysis.log_mean_exp(self.beside.log_e, self.alone.log_e)

    def look(self, block: Block) -> None:
        if block.stable:
            self.beside.look(block)
        elif block.candidate:
            seen = self.beside
            # Three standard errors: the live version's true rate is hardly ever above this.
            upper = analysis.wilson(seen.stable_bad, seen.stable, z=3.0)[1] if seen.stable else 0
            self.alone.look(block.candidate, block.candidate_bad, min(max(FLOOR, upper), 0.5))


@dataclass(slots=True)
class Evidence:
    """All that the sequential tests must remember; kept with the rollout, of constant size.

    ``waiting`` holds counts that are not judged yet: while two versions serve, a block ends when
    both have answered, so that slow traffic loses no evidence. Blocks end by how many answers
    came, never by what they were.
    """

    errors: Question = field(default_factory=Question)
    slow: Question = field(default_factory=Question)
    too_slow: OneSample = field(default_factory=OneSample)
    waiting: dict[str, list[int]] = field(
        default_factory=lambda: {"errors": [0] * 4, "slow": [0] * 4}
    )

    @classmethod
    def load(cls, raw: Mapping[str, Any]) -> Evidence:
        if not raw:
            return cls()
        return cls(
            errors=_question(raw["errors"]),
            slow=_question(raw["slow"]),
            too_slow=OneSample(**raw["too_slow"]),
            waiting={name: list(counts) for name, counts in raw["waiting"].items()},
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def look(self, *, errors: Block, slow: Block, limits: Limits, alone: bool) -> None:
        """Add what came since the last look; ``alone`` when all traffic goes to the candidate."""
        if (block := self._ready("errors", errors, alone)) is not None:
            self.errors.look(block)
        if (block := self._ready("slow", slow, alone)) is not None:
            self.slow.look(block)
            self.too_slow.look(block.candidate, block.candidate_bad, limits.slow_share)

    def _ready(self, name: str, block: Block, alone: bool) -> Block | None:
        new = (block.candidate, block.candidate_bad, block.stable, block.stable_bad)
        total = Block(*(a + b for a, b in zip(self.waiting[name], new, strict=True)))
        if total.candidate and (total.stable or alone):
            self.waiting[name] = [0] * 4
            return total
        self.waiting[name] = [total.candidate, total.candidate_bad, total.stable, total.stable_bad]
        return None

    @property
    def log_e_errors(self) -> float:
        return self.errors.log_e

    @property
    def log_e_slow(self) -> float:
        # Slow because everything is slow is no reproach: over the limit *and* slower than live.
        if self.slow.beside.stable == 0:
            return self.too_slow.log_e
        return min(self.too_slow.log_e, self.slow.log_e)


def boundary(limits: Limits) -> float:
    """The log e-value that rolls back. Two questions are asked, so each gets half of alpha."""
    return math.log(2 / limits.alpha)


def _question(raw: Mapping[str, Any]) -> Question:
    return Question(beside=TwoSample(**raw["beside"]), alone=OneSample(**raw["alone"]))


def delta(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What came in between two readings of one cluster; a restarted Envoy counts from zero.

    A restart shows in any count that became smaller. Should every one of them have overtaken the
    old reading, the difference is too small, and still holds no more bad answers than answers.
    """
    good_now, good_before = now["answers"] - now["bad"], before["answers"] - before["bad"]
    timed_now, timed_before = _timed(now), _timed(before)
    if now["bad"] < before["bad"] or good_now < good_before or timed_now < timed_before:
        before = EMPTY
    old = dict(before["buckets"])
    return {
        "answers": now["answers"] - before["answers"],
        "bad": now["bad"] - before["bad"],
        "buckets": [[edge, max(0, count - old.get(edge, 0))] for edge, count in now["buckets"]],
    }


def add(total: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """The sum of two deltas."""
    old = dict(total["buckets"])
    return {
        "answers": total["answers"] + block["answers"],
        "bad": total["bad"] + block["bad"],
        "buckets": [[edge, count + old.get(edge, 0)] for edge, count in block["buckets"]]
        or list(total["buckets"]),
    }


def _timed(reading: Mapping[str, Any]) -> int:
    buckets = reading["buckets"]
    return int(buckets[-1][1]) if buckets else 0


def summary(total: Mapping[str, Any], slow_ms: int) -> dict[str, Any]:
    """What a page shows of an arm: answers, errors, slow ones, and two quantiles in ms."""
    buckets = [(float(edge), int(count)) for edge, count in total["buckets"]]
    seen = buckets[-1][1] if buckets else 0
    fast = next((count for edge, count in buckets if edge >= slow_ms), seen)
    return {
        "answers": total["answers"],
        "errors": total["bad"],
        "timed": seen,
        "slow": seen - fast,
        "p50_ms": analysis.quantile_ms(buckets, 0.5),
        "p99_ms": analysis.quantile_ms(buckets, 0.99),
    }


@dataclass(frozen=True, slots=True)
class Look:
    """One look: the row to keep, what came since the last one, and whether anything did."""

    row: RolloutSample
    latest: Block
    is_news: bool


def look(
    step: RolloutStep,
    counters: Mapping[str, Any],
    clusters: tuple[str, str | None],
    limits: Limits,
    evidence: Evidence,
) -> Look:
    """Add what came since the last look to the step and to the evidence; nothing is saved.

    ``clusters`` are the candidate's and, where there is one, the live version's cluster names.
    The step's ``baseline`` becomes this raw reading, its ``measured`` the sums since its weights
    were applied.
    """
    names = {"candidate": clusters[0], "stable": clusters[1]}
    totals, blocks = {}, {}
    readings = {}
    for arm, name in names.items():
        reading = (counters.get(name) or EMPTY) if name else EMPTY
        block = delta(reading, step.baseline.get(arm) or EMPTY)
        totals[arm] = add(step.measured.get(arm) or EMPTY, block)
        blocks[arm] = summary(block, limits.slow_ms)
        readings[arm] = reading
    step.baseline, step.measured = readings, totals
    candidate, stable = blocks["candidate"], blocks["stable"]
    latest = Block(candidate["answers"], candidate["errors"], stable["answers"], stable["errors"])
    evidence.look(
        errors=latest,
        slow=Block(candidate["timed"], candidate["slow"], stable["timed"], stable["slow"]),
        limits=limits,
        alone=step.weight == 100,
    )
    row = RolloutSample(
        step=step,
        candidate=summary(totals["candidate"], limits.slow_ms),
        stable=summary(totals["stable"], limits.slow_ms),
        log_e_errors=evidence.log_e_errors,
        log_e_slow=evidence.log_e_slow,
    )
    return Look(row, latest, is_news=any(b["answers"] or b["timed"] for b in blocks.values()))


def judge(step: RolloutStep, seen: Look, limits: Limits, elapsed_s: float) -> Verdict:
    """Pass, fail or wait. No data is never a pass."""
    row = seen.row
    candidate, stable = row.candidate, row.stable
    if row.log_e_errors >= boundary(limits):
        low, high = analysis.wilson(candidate["errors"], candidate["answers"])
        against = (
            f"{stable['errors']} of {stable['answers']} of the live version"
            if stable["answers"]
            else "the live version's rate before"
        )
        return Verdict(
            "fail",
            f"more errors: {candidate['errors']} of {candidate['answers']} answers"
            f" ({100 * low:.1f}–{100 * high:.1f} %) against {against}",
        )
    if row.log_e_slow >= boundary(limits):
        return Verdict(
            "fail",
            f"slower: {candidate['slow']} of {candidate['timed']} answers took over"
            f" {limits.slow_ms} ms",
        )
    missing = step.min_answers - candidate["answers"]
    if missing > 0:
        return Verdict("wait", f"inconclusive yet: {missing} answers to go")
    # Envoy's histogram lags behind its counters by up to its flush interval, and never holds an
    # answer that did not come (those are errors): wait until nearly all good ones are timed.
    if candidate["timed"] + candidate["errors"] < 0.9 * step.min_answers:
        return Verdict("wait", "inconclusive yet: the latency of the answers is not in")
    if elapsed_s < step.min_seconds:
        return Verdict("wait", f"nothing worse; {step.min_seconds - elapsed_s:.0f} s to go")
    if not _share_fits(step, seen):
        share = 100 * candidate["answers"] / (candidate["answers"] + stable["answers"])
        return Verdict("wait", f"measured share {share:.1f} % does not fit {step.weight} %")
    if step.min_answers == 0:
        return Verdict("pass", "the first version here: there is nothing to compare it with")
    return Verdict("pass", "no worse: errors and latency")


def _share_fits(step: RolloutStep, seen: Look) -> bool:
    candidate, stable = seen.row.candidate["answers"], seen.row.stable["answers"]
    if step.weight == 100:
        # Requests that were under way when the weights moved still ended at the live version;
        # what counts is that it gets no more of them.
        return seen.latest.stable == 0
    return analysis.share_is_plausible(candidate, candidate + stable, step.weight / 100)
