"""Evidently's report from profiles: 10,000 quantile-spaced pseudo-rows a column (MONITORING 6.3).

Marginals only: nothing here says how columns move together. Importing Evidently costs 3.5 s and
280 MB, so this module is imported by the job on the queue ``reports`` alone.
"""

from __future__ import annotations

import gzip
import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.profiles.categorical import CategoricalSpec, labels
from monitoring.profiles.codec import Profile, Spec
from monitoring.profiles.numeric import NumericProfile, NumericSpec

PSEUDO_ROWS = 10_000

Column = tuple[str, Spec, Profile, Profile]


def render(columns: list[Column], *, drift_psi: float) -> tuple[bytes, bytes]:
    """(gzipped ``Snapshot.dumps()``, gzipped HTML) of a window against its reference.

    Args:
        columns: name, spec, the reference's profile, the window's. Columns without any finite value
            on one side are left out: Evidently fails on them (MONITORING 3.1).
        drift_psi: Evidently's own threshold; its verdicts are a second opinion, not ours.
    Raises: ValueError when no column is left.
    """
    os.environ["DO_NOT_TRACK"] = "1"
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset, DataSummaryPreset

        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        numeric: list[str] = []
        categorical: list[str] = []
        for name, spec, reference, current in columns:
            pair = [pseudo_rows(profile, spec) for profile in (reference, current)]
            if any(pd.isna(values).all() for values in pair):
                continue
            before[name], after[name] = pair
            (numeric if isinstance(spec, NumericSpec) else categorical).append(name)
        if not before:
            raise ValueError("no column has values on both sides")
        definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)
        made = [
            Dataset.from_pandas(pd.DataFrame(rows), data_definition=definition)
            for rows in (after, before)
        ]
        report = Report(
            [
                DataDriftPreset(
                    num_method="psi",
                    cat_method="psi",
                    num_threshold=drift_psi,
                    cat_threshold=drift_psi,
                ),
                DataSummaryPreset(),
            ],
            include_tests=True,
        )
        snapshot = report.run(made[0], made[1])  # the current rows first; swapping is silent
        page = snapshot.get_html_str(as_iframe=False)
        return _gzipped(snapshot.dumps()), _gzipped(page)


def pseudo_rows(profile: Profile, spec: Spec, rows: int = PSEUDO_ROWS) -> NDArray[Any]:
    """As many values as stand for the profile, nulls in proportion, shape ``(rows,)``."""
    if isinstance(profile, NumericProfile) and isinstance(spec, NumericSpec):
        missing = round(rows * (profile.rows - profile.finite) / max(1, profile.rows))
        return np.concatenate([_quantiles(profile, spec, rows - missing), np.full(missing, np.nan)])
    if isinstance(profile, NumericProfile) or not isinstance(spec, CategoricalSpec):
        raise TypeError("the profile was not counted on this spec")
    counts = profile.with_nulls()
    shares = np.floor(np.cumsum(counts) * rows / max(1, counts.sum()) + 0.5).astype(np.int64)
    names: list[str | None] = [*labels(spec)[:-1], None]
    return np.repeat(np.array(names, dtype=object), np.diff(shares, prepend=0))


def _quantiles(profile: NumericProfile, spec: NumericSpec, rows: int) -> NDArray[np.float64]:
    if profile.finite == 0 or rows == 0:
        return np.full(rows, np.nan)
    values, counts = profile.points(spec)
    cumulative = np.cumsum(counts)
    wanted = (np.arange(rows) + 0.5) / rows * profile.finite
    index = np.searchsorted(cumulative, wanted)
    if spec.is_discrete:
        return np.asarray(values[index], dtype=np.float64)
    upper = values[index]
    lower = values[np.maximum(index - 1, 0)]
    inside = (wanted - (cumulative[index] - counts[index])) / counts[index]
    return np.asarray(lower + (upper - lower) * inside, dtype=np.float64)


def _gzipped(text: str) -> bytes:
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)
