"""How far counts have moved from the reference's: pure functions over integer arrays."""

from monitoring.drift.compare import Distance, compare
from monitoring.drift.correction import benjamini_hochberg
from monitoring.drift.js import jensen_shannon
from monitoring.drift.ks import chi_square_p, ks
from monitoring.drift.psi import psi, psi_interval
from monitoring.drift.wasserstein import wasserstein

__all__ = [
    "Distance",
    "benjamini_hochberg",
    "chi_square_p",
    "compare",
    "jensen_shannon",
    "ks",
    "psi",
    "psi_interval",
    "wasserstein",
]
