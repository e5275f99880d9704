"""Evaluating a window: sums of integers against the reference, labels if there are any, the rules.

Imports SciPy (through ``drift`` and ``metrics``), so only jobs import this module.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from django.db import transaction

from monitoring import selectors
from monitoring.drift import benjamini_hochberg, compare
from monitoring.metrics.estimate import Calibration, estimate
from monitoring.metrics.realised import realised
from monitoring.models import (
    ColumnProfile,
    DriftResult,
    Monitor,
    PerformanceResult,
    ReferenceColumn,
    ScoredKey,
    Window,
)
from monitoring.profiles import NumericProfile
from monitoring.profiles.codec import Profile, Spec, unpack_profile
from monitoring.services import alerts
from monitoring.services.holding import hold

#: False discovery rate over the columns of one window.
ALPHA = 0.05


def dirty(monitor: Monitor) -> list[int]:
    """Keys of the windows that were counted since they were evaluated, the oldest first."""
    return list(
        monitor.windows.filter(is_dirty=True).order_by("start").values_list("pk", flat=True)
    )


@transaction.atomic
def evaluate(*, window_id: int, monitor_id: int) -> Window:
    """Write the next revision of a window's results and let the rules look at it.

    Earlier revisions are kept. A window that somebody else evaluated meanwhile is left as it is.

    Raises: Busy, when somebody else is at this monitor.
    """
    monitor = hold(monitor_id)
    window = Window.objects.get(pk=window_id, monitor=monitor)
    if not window.is_dirty:
        return window
    window.revision += 1
    window.is_dirty = False
    known = selectors.reference_columns(monitor)
    counted = {row.column_id: row for row in ColumnProfile.objects.filter(window=window)}
    current = {
        column.pk: unpack_profile(spec, counted[column.pk].counts, counted[column.pk].facts)
        for column, spec, _ in known
        if column.pk in counted
    }
    _write_drift(window, known, current)
    _write_performance(monitor, window, known, current)
    window.save(update_fields=["revision", "is_dirty"])
    alerts.consider(monitor=monitor, window=window)
    return window


def _write_drift(
    window: Window,
    known: list[tuple[ReferenceColumn, Spec, Profile]],
    current: dict[int, Profile],
) -> None:
    found = [
        (column, compare(profile, current[column.pk], spec))
        for column, spec, profile in known
        if column.pk in current
    ]
    significant = benjamini_hochberg([distance.p_value for _, distance in found], ALPHA)
    DriftResult.objects.bulk_create(
        DriftResult(
            window=window,
            column=column,
            revision=window.revision,
            psi=distance.psi,
            psi_lower=distance.psi_lower,
            psi_upper=distance.psi_upper,
            js=distance.js,
            ks=distance.ks,
            wasserstein=distance.wasserstein,
            p_value=distance.p_value,
            is_significant=is_significant,
        )
        for (column, distance), is_significant in zip(found, significant, strict=True)
    )


def _write_performance(
    monitor: Monitor,
    window: Window,
    known: list[tuple[ReferenceColumn, Spec, Profile]],
    current: dict[int, Profile],
) -> None:
    estimated: dict[str, Any] = {}
    for column, _, _ in known:
        profile = current.get(column.pk)
        if column.calibration and isinstance(profile, NumericProfile):
            estimated = estimate(Calibration.from_json(column.calibration), profile.bins)
    scores, labels = _labelled(window)
    measured = realised(scores, labels, monitor.decision_threshold)
    PerformanceResult.objects.create(
        window=window,
        revision=window.revision,
        labelled=int(labels.size),
        realised=measured,
        estimated=estimated,
        base_rate=measured["base_rate"]["value"] if measured else None,
    )


def _labelled(window: Window) -> tuple[Any, Any]:
    """Scores and labels of the window's labelled rows, float64 of shape ``(n,)``."""
    if not window.labelled:
        return np.empty(0), np.empty(0)
    rows = ScoredKey.objects.filter(window=window, label__isnull=False)
    pairs = np.array(list(rows.order_by("pk").values_list("score", "label")), dtype=np.float64)
    return (pairs[:, 0], pairs[:, 1]) if pairs.size else (np.empty(0), np.empty(0))
