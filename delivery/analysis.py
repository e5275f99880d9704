"""Is the new version worse? Sequential tests that may be looked at as often as one likes.

Pure arithmetic: counts in, evidence out. An e-value is evidence against "no worse"; under that
hypothesis it exceeds 1/α at any time with probability at most α (Ville's inequality), so that
looking each second does not cry wolf. Source: Turner, Ly and Grünwald (2024), "Generic E-variables
for exact sequential k-sample tests that allow for optional stopping", J. Stat. Plan. Inference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """What came in between two looks: answers and bad ones among them, per arm; counts ≥ 0."""

    candidate: int
    candidate_bad: int
    stable: int
    stable_bad: int


def two_sample_log_e(blocks: Sequence[Block], *, prior: float = 0.5) -> list[float]:
    """Evidence that the candidate's rate of bad answers is above the stable version's.

    Each block is judged by rates estimated from the blocks *before* it (plug-in with a Beta(prior,
    prior·9) guess near 5 %), against the single rate that is closest to them; that ratio is an
    e-variable for "candidate ≤ stable", and the product over blocks a test martingale.

    Args:
        blocks: in order of time; an arm without answers in a block makes that block neutral.
        prior: pseudo-count of bad answers in each arm, > 0.
    Returns: the natural log of the running product after each block.
    """
    total = 0.0
    running: list[float] = []
    seen = [0, 0, 0, 0]
    for block in blocks:
        n_c, n_s = block.candidate, block.stable
        if n_c and n_s:
            guess_c = (seen[1] + prior) / (seen[0] + 10 * prior)
            guess_s = (seen[3] + prior) / (seen[2] + 10 * prior)
            if guess_c > guess_s:
                pooled = (n_c * guess_c + n_s * guess_s) / (n_c + n_s)
                total += _log_ratio(block.candidate_bad, n_c, guess_c, pooled)
                total += _log_ratio(block.stable_bad, n_s, guess_s, pooled)
            elif seen[0] == 0 and seen[2] == 0:
                # No past yet: bet on twice the stable rate, so that the first block counts.
                pooled = (n_c * 2 * guess_c + n_s * guess_s) / (n_c + n_s)
                total += _log_ratio(block.candidate_bad, n_c, 2 * guess_c, pooled)
                total += _log_ratio(block.stable_bad, n_s, guess_s, pooled)
        seen[0] += n_c
        seen[1] += block.candidate_bad
        seen[2] += n_s
        seen[3] += block.stable_bad
        running.append(total)
    return running


def one_sample_log_e(
    counts: Sequence[tuple[int, int]], limit: float, *, prior: float = 0.5
) -> list[float]:
    """Evidence that a rate is above ``limit``.

    Args:
        counts: (answers, bad answers) per block in order of time.
        limit: the rate that is still fine, 0 < limit < 1.
        prior: pseudo-count of bad answers, > 0.
    Returns: the natural log of the running product after each block.
    Raises: ValueError when ``limit`` is not inside (0, 1).
    """
    if not 0 < limit < 1:
        raise ValueError("limit must lie between 0 and 1")
    total = 0.0
    running: list[float] = []
    answers = bad = 0
    for block_answers, block_bad in counts:
        guess = (bad + prior) / (answers + prior / limit)
        guess = max(guess, min(2 * limit, (1 + limit) / 2)) if answers == 0 else guess
        if guess > limit and block_answers:
            total += _log_ratio(block_bad, block_answers, guess, limit)
        answers += block_answers
        bad += block_bad
        running.append(total)
    return running


def _log_ratio(bad: int, answers: int, rate: float, null: float) -> float:
    rate = min(max(rate, 1e-9), 1 - 1e-9)
    null = min(max(null, 1e-9), 1 - 1e-9)
    good = answers - bad
    return bad * math.log(rate / null) + good * math.log((1 - rate) / (1 - null))


def wilson(bad: int, answers: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate; (0, 1) when there are no answers."""
    if answers == 0:
        return 0.0, 1.0
    share = bad / answers
    centre = share + z * z / (2 * answers)
    spread = z * math.sqrt(share * (1 - share) / answers + z * z / (4 * answers * answers))
    scale = 1 + z * z / answers
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def share_is_plausible(candidate: int, total: int, wanted: float, z: float = 4.0) -> bool:
    """Whether a measured share can come from random routing at ``wanted`` (0 to 1).

    Four standard errors and one request of slack: a weight that was not applied is far outside.
    """
    if total == 0:
        return True
    spread = z * math.sqrt(wanted * (1 - wanted) * total)
    return abs(candidate - wanted * total) <= spread + 1.0


def answers_needed(base: float, worse: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Answers of the new version needed to tell ``worse`` from ``base``, both rates in (0, 1).

    The textbook size for comparing a rate with a known one (normal approximation), shown before
    the start so that nobody expects a verdict from ten answers.
    """
    if not 0 < base < worse < 1:
        raise ValueError("need 0 < base < worse < 1")
    z_alpha, z_power = _normal_quantile(1 - alpha), _normal_quantile(power)
    spread = z_alpha * math.sqrt(base * (1 - base)) + z_power * math.sqrt(worse * (1 - worse))
    return math.ceil((spread / (worse - base)) ** 2)


def _normal_quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def quantile_ms(buckets: Sequence[tuple[float, int]], q: float) -> float | None:
    """A quantile of a cumulative histogram, linear inside its bucket.

    Args:
        buckets: (upper edge in ms, cumulative count) with rising edges.
        q: between 0 and 1.
    Returns: milliseconds; None when the histogram is empty; the last edge when beyond it.
    """
    if not buckets or buckets[-1][1] <= 0:
        return None
    target = q * buckets[-1][1]
    lower_edge, below = 0.0, 0
    for edge, cumulative in buckets:
        if cumulative >= target and cumulative > below:
            return lower_edge + (edge - lower_edge) * (target - below) / (cumulative - below)
        lower_edge, below = edge, max(below, cumulative)
    return buckets[-1][0]
