"""A drift run costs the window, not the rows (DESIGN promise 8); and against scipy on rows."""

from __future__ import annotations

import numpy as np
from scipy import stats

from benchmarks.report import figure, seconds
from monitoring.drift import ks, psi
from monitoring.profiles import NumericProfile, NumericSpec

FEW, MANY = 10_000, 1_000_000


def run() -> bool:
    """Both figures; True when both bars are met."""
    generator = np.random.default_rng(0)
    reference = generator.normal(size=FEW)
    spec = NumericSpec.from_reference(reference)
    base = NumericProfile.of(reference, spec)
    few_rows, many_rows = generator.normal(0.1, 1, FEW), generator.normal(0.1, 1, MANY)
    few, many = NumericProfile.of(few_rows, spec), NumericProfile.of(many_rows, spec)

    def drift(profile: NumericProfile) -> object:
        return psi(base.bins, profile.bins), ks(base.bins, profile.bins)

    small, large = seconds(lambda: drift(few)), seconds(lambda: drift(many))
    exact = seconds(lambda: stats.ks_2samp(reference, many_rows, method="asymp"))
    flat = figure(
        "monitoring.drift_run_growth",
        large / small,
        bar=1.5,
        better="lower",
        unit="×",
        how=f"drift from profiles of {MANY:,} rows against {FEW:,} rows",
    )
    fast = figure(
        "monitoring.drift_run_vs_scipy_rows",
        large / exact,
        bar=0.05,
        better="lower",
        unit="×",
        how=f"drift from a profile against scipy.stats.ks_2samp on {MANY:,} rows",
    )
    return flat and fast
