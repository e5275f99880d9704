"""Everything that is said about one column of one window, from two profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from monitoring.drift.js import jensen_shannon
from monitoring.drift.ks import chi_square_p, ks, share_p
from monitoring.drift.psi import coarsen, psi, psi_interval
from monitoring.drift.wasserstein import wasserstein
from monitoring.profiles.categorical import CategoricalProfile
from monitoring.profiles.numeric import NumericProfile, NumericSpec

if TYPE_CHECKING:
    from monitoring.profiles.codec import Profile, Spec


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a column has moved.

    Attributes:
        psi, psi_lower, psi_upper: index with its 95 % interval, nats; about ten bins, and missing
            and infinite values as categories of their own.
        js: Jensen–Shannon distance over the same categories, 0 to 1.
        ks: Kolmogorov–Smirnov's D over the finite values, 0 to 1; None for categories.
        wasserstein: in the column's unit, over the finite values; None for categories.
        p_value: of "nothing has moved": the values' own test and the missing ones', doubled.
    """

    psi: float
    psi_lower: float
    psi_upper: float
    js: float
    ks: float | None
    wasserstein: float | None
    p_value: float


def compare(reference: Profile, current: Profile, spec: Spec) -> Distance:
    """Distances and a p-value; none of them ever fails for what the rows hold.

    Raises: TypeError when the profiles are of different kinds.
    """
    if isinstance(reference, NumericProfile) and isinstance(current, NumericProfile):
        if not isinstance(spec, NumericSpec):
            raise TypeError("a numeric profile needs a numeric spec")
        return _numeric(reference, current, spec)
    if isinstance(reference, CategoricalProfile) and isinstance(current, CategoricalProfile):
        p, q = reference.with_nulls(), current.with_nulls()
        lower, upper = psi_interval(p, q)
        return Distance(
            psi(p, q), lower, upper, jensen_shannon(p, q), None, None, chi_square_p(p, q)
        )
    raise TypeError("profiles of different kinds cannot be compared")


def _numeric(reference: NumericProfile, current: NumericProfile, spec: NumericSpec) -> Distance:
    p, q = coarsen(reference.bins, current.bins)
    odd_p, odd_q = _odd(reference), _odd(current)
    p, q = np.concatenate([p, odd_p]), np.concatenate([q, odd_q])
    lower, upper = psi_interval(p, q)
    distance, p_values = ks(reference.bins, current.bins)
    p_odd = share_p(
        (reference.rows - reference.finite, reference.finite),
        (current.rows - current.finite, current.finite),
    )
    values, before = reference.points(spec)
    _, after = current.points(spec)
    return Distance(
        psi=psi(p, q),
        psi_lower=lower,
        psi_upper=upper,
        js=jensen_shannon(p, q),
        ks=distance,
        wasserstein=wasserstein(before, after, values, spread=not spec.is_discrete),
        # Two questions were asked, so either answer counts half (Bonferroni).
        p_value=min(1.0, 2 * min(p_values, p_odd)),
    )


def _odd(profile: NumericProfile) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([profile.nulls, profile.pos_inf, profile.neg_inf], dtype=np.int64)
