"""From the gateway's raw counters to what a step has seen, and to a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from delivery import analysis
from delivery.models import Rollout, RolloutSample, RolloutStep

if TYPE_CHECKING:
    from delivery.plan import Limits

EMPTY: dict[str, Any] = {"answers": 0, "bad": 0, "buckets": []}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the figures say: ``pass``, ``fail`` or ``wait``, and a sentence."""

    kind: str
    sentence: str


def delta(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What came in between two readings of one cluster; a restarted Envoy counts from zero."""
    if now["answers"] < before["answers"]:
        before = EMPTY
    old = dict(before["buckets"])
    return {
        "answers": now["answers"] - before["answers"],
        "bad": max(0, now["bad"] - before["bad"]),
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


def sample(
    step: RolloutStep, counters: Mapping[str, Any], clusters: tuple[str, str | None], limits: Limits
) -> RolloutSample:
    """Take one look: add what came since the last look, and the evidence over the whole rollout.

    ``clusters`` are the candidate's and, where there is one, the live version's cluster names.
    The step's ``baseline`` (last raw reading) and ``measured`` (sums) are updated, not saved.
    """
    names = {"candidate": clusters[0], "stable": clusters[1]}
    readings = {
        arm: (counters.get(name) or EMPTY) if name else EMPTY for arm, name in names.items()
    }
    totals = {}
    for arm, reading in readings.items():
        block = delta(reading, step.baseline.get(arm) or EMPTY)
        totals[arm] = add(step.measured.get(arm) or EMPTY, block)
    step.baseline = readings
    step.measured = totals
    row = RolloutSample(
        step=step,
        candidate=summary(totals["candidate"], limits.slow_ms),
        stable=summary(totals["stable"], limits.slow_ms),
    )
    row.log_e_errors, row.log_e_slow = _evidence(step.rollout, row, limits)
    return row


def _evidence(rollout: Rollout, latest: RolloutSample, limits: Limits) -> tuple[float, float]:
    rows = list(RolloutSample.objects.filter(step__rollout=rollout).order_by("pk"))
    blocks, slow = _blocks([*rows, latest])
    errors = analysis.two_sample_log_e(blocks)
    # Alone at 100 % there is no live version beside it: judge by what that one had shown.
    stable_answers = sum(block.stable for block in blocks)
    stable_bad = sum(block.stable_bad for block in blocks)
    ceiling = max(0.01, analysis.wilson(stable_bad, stable_answers)[1]) if stable_answers else 0.01
    alone = [(b.candidate, b.candidate_bad) for b in blocks if b.stable == 0]
    lonely = analysis.one_sample_log_e(alone, min(ceiling, 0.5)) if alone else [0.0]
    return (
        max(errors[-1], lonely[-1]),
        min(
            analysis.one_sample_log_e(
                [(block.candidate, block.candidate_bad) for block in slow], limits.slow_share
            )[-1],
            # Slow because the machine is slow is no reproach: the live version must be faster.
            analysis.two_sample_log_e(slow)[-1] if any(b.stable for b in slow) else math.inf,
        ),
    )


def _blocks(rows: list[RolloutSample]) -> tuple[list[analysis.Block], list[analysis.Block]]:
    errors: list[analysis.Block] = []
    slow: list[analysis.Block] = []
    previous: RolloutSample | None = None
    for row in rows:
        base_c = previous.candidate if previous and previous.step_id == row.step_id else {}
        base_s = previous.stable if previous and previous.step_id == row.step_id else {}

        def diff(arm: dict[str, Any], base: dict[str, Any], key: str) -> int:
            return max(0, arm[key] - base.get(key, 0))

        errors.append(
            analysis.Block(
                diff(row.candidate, base_c, "answers"),
                diff(row.candidate, base_c, "errors"),
                diff(row.stable, base_s, "answers"),
                diff(row.stable, base_s, "errors"),
            )
        )
        slow.append(
            analysis.Block(
                diff(row.candidate, base_c, "timed"),
                diff(row.candidate, base_c, "slow"),
                diff(row.stable, base_s, "timed"),
                diff(row.stable, base_s, "slow"),
            )
        )
        previous = row
    return errors, slow


def judge(step: RolloutStep, row: RolloutSample, limits: Limits, elapsed_s: float) -> Verdict:
    """Pass, fail or wait. No data is never a pass."""
    boundary = math.log(1 / limits.alpha)
    candidate, stable = row.candidate, row.stable
    if row.log_e_errors >= boundary:
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
    if row.log_e_slow >= boundary:
        return Verdict(
            "fail",
            f"slower: {candidate['slow']} of {candidate['timed']} answers took over"
            f" {limits.slow_ms} ms",
        )
    missing = step.min_answers - candidate["answers"]
    if missing > 0:
        return Verdict("wait", f"inconclusive yet: {missing} answers to go")
    if elapsed_s < step.min_seconds:
        return Verdict("wait", f"nothing worse; {step.min_seconds - elapsed_s:.0f} s to go")
    total = candidate["answers"] + stable["answers"]
    if stable["answers"] and not analysis.share_is_plausible(
        candidate["answers"], total, step.weight / 100
    ):
        share = 100 * candidate["answers"] / total
        return Verdict("wait", f"measured share {share:.1f} % does not fit {step.weight} %")
    return Verdict("pass", "no worse: errors and latency")
