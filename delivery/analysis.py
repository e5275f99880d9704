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
from statistics import NormalDist

#: Pseudo-count of bad answers in each arm, and of all answers: a guess of 5 % before any answer.
PRIOR_BAD, PRIOR_ANSWERS = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class Block:
    """What came in between two looks: answers and bad ones among them, per arm; counts ≥ 0."""

    candidate: int
    candidate_bad: int
    stable: int
    stable_bad: int


@dataclass(slots=True)
class TwoSample:
    """Evidence that the candidate's rate of bad answers is above the stable version's.

    Each block is judged by rates estimated from the blocks *before* it, against the single rate
    that lies closest to them. That ratio is an e-variable for "candidate ≤ stable": it rises with
    the candidate's rate and falls with the stable one's, so it is largest where both are equal,
    and there its mean is at most 1. The product over blocks is therefore a test martingale.
    ``log_e`` is its natural logarithm; the counts are those of all blocks so far.
    """

    log_e: float = 0.0
    candidate: int = 0
    candidate_bad: int = 0
    stable: int = 0
    stable_bad: int = 0

    def look(self, block: Block) -> None:
        """Add a block; one in which an arm has no answers tells nothing and only counts."""
        if block.candidate and block.stable:
            self.log_e += self._log_ratio(block)
        self.candidate += block.candidate
        self.candidate_bad += block.candidate_bad
        self.stable += block.stable
        self.stable_bad += block.stable_bad

    def _log_ratio(self, block: Block) -> float:
        guess = _guess(self.candidate_bad, self.candidate)
        other = _guess(self.stable_bad, self.stable)
        is_first = self.candidate == 0 and self.stable == 0
        if is_first:
            # No past to learn from: bet half the stake on twice the rate, so that a version that
            # fails from its first answer is caught, and a good one loses next to nothing.
            guess = 2 * other
        elif guess <= other:
            return 0.0
        n_c, n_s = block.candidate, block.stable
        pooled = (n_c * guess + n_s * other) / (n_c + n_s)
        ratio = _log_likelihood_ratio(block.candidate_bad, n_c, guess, pooled)
        ratio += _log_likelihood_ratio(block.stable_bad, n_s, other, pooled)
        return log_mean_exp(ratio, 0.0) if is_first else ratio


@dataclass(slots=True)
class OneSample:
    """Evidence that a rate is above a limit; ``log_e`` as in ``TwoSample``.

    The limit may differ from look to look, as long as it was fixed before the look.
    """

    log_e: float = 0.0
    answers: int = 0
    bad: int = 0

    def look(self, answers: int, bad: int, limit: float) -> None:
        """Add a block of answers. Raises: ValueError when ``limit`` is not inside (0, 1)."""
        if not 0 < limit < 1:
            raise ValueError("limit must lie between 0 and 1")
        if answers:
            # The pseudo-counts lean to the limit: without any past they say exactly the limit.
            guess = (self.bad + PRIOR_BAD) / (self.answers + PRIOR_BAD / limit)
            if self.answers == 0:
                guess = min(2 * limit, (1 + limit) / 2)
            if guess > limit:
                ratio = _log_likelihood_ratio(bad, answers, guess, limit)
                self.log_e += log_mean_exp(ratio, 0.0) if self.answers == 0 else ratio
        self.answers += answers
        self.bad += bad


def log_mean_exp(a: float, b: float) -> float:
    """The logarithm of the mean of two e-values given by their logarithms: again an e-value."""
    high, low = max(a, b), min(a, b)
    return high + math.log1p(math.exp(low - high)) - math.log(2)


def _guess(bad: int, answers: int) -> float:
    return (bad + PRIOR_BAD) / (answers + PRIOR_ANSWERS)


def _log_likelihood_ratio(bad: int, answers: int, rate: float, null: float) -> float:
    rate = min(max(rate, 1e-9), 1 - 1e-9)
    null = min(max(null, 1e-9), 1 - 1e-9)
    good = answers - bad
    return bad * math.log(rate / null) + good * math.log((1 - rate) / (1 - null))


def wilson(bad: int, answers: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a rate, 95 % for the default ``z``; (0, 1) when there are no answers."""
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

    Raises: ValueError unless 0 < base < worse < 1.
    """
    if not 0 < base < worse < 1:
        raise ValueError("need 0 < base < worse < 1")
    quantile = NormalDist().inv_cdf
    spread = quantile(1 - alpha) * math.sqrt(base * (1 - base))
    spread += quantile(power) * math.sqrt(worse * (1 - worse))
    return math.ceil((spread / (worse - base)) ** 2)


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
