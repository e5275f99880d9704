"""Rows in, windows out: the way of an upload through its job."""

from __future__ import annotations

import pytest

from jobs.services.run import run_until_idle
from monitoring.models import ScoredKey
from tests.factories import monitoring as make

pytestmark = pytest.mark.django_db


def test_predictions_become_a_window_with_results_and_no_rows_stay(workspace):
    monitor = make.monitor(workspace)
    sent = make.rows(500)

    upload = make.send(monitor, sent)
    run_until_idle(20)

    upload.refresh_from_db()
    window = monitor.windows.get()
    assert (upload.accepted, upload.storage_name) == (500, "")
    assert (window.rows, window.revision, window.is_dirty) == (500, 1, False)
    assert (window.start, (window.end - window.start).days) == (make.START, 1)
    assert window.drift.count() == 3
    assert ScoredKey.objects.count() == 500
    estimated = window.performance.get().estimated
    assert estimated["auc"]["lower95"] < estimated["auc"]["value"] < estimated["auc"]["upper95"]
