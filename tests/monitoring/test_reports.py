"""Evidently's report: from pseudo-rows, on its own queue, in a frame that can do nothing else."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from django.urls import reverse

from audit.actions import Action
from jobs.models import Job
from jobs.services.run import run_until_idle
from monitoring.evidently_report import pseudo_rows
from monitoring.profiles import CategoricalProfile, CategoricalSpec, NumericProfile, NumericSpec
from monitoring.services import reports
from tests.factories import monitoring as make
from tests.trail import recorded_actions


def test_pseudo_rows_stand_for_a_numeric_column():
    values = np.random.default_rng(0).normal(50, 10, 30_000)
    values[:3000] = np.nan
    spec = NumericSpec.from_reference(values)
    made = pseudo_rows(NumericProfile.of(values, spec), spec)
    assert made.size == 10_000
    assert np.isnan(made).sum() == 1000
    assert np.nanmean(made) == pytest.approx(np.nanmean(values), abs=0.05)
    assert np.nanstd(made) == pytest.approx(np.nanstd(values), rel=0.01)
    assert np.nanquantile(made, 0.9) == pytest.approx(np.nanquantile(values, 0.9), abs=0.1)


def test_pseudo_rows_of_few_values_are_those_values():
    values = np.array([0.0] * 500 + [3.0] * 300 + [7.0] * 200)
    spec = NumericSpec.from_reference(values)
    made = pseudo_rows(NumericProfile.of(values, spec), spec)
    found, counts = np.unique(made, return_counts=True)
    assert found.tolist() == [0.0, 3.0, 7.0]
    assert counts.tolist() == [5000, 3000, 2000]


def test_pseudo_rows_of_categories_keep_their_shares():
    column = pa.array(["a"] * 600 + ["b"] * 300 + [None] * 100)
    spec = CategoricalSpec.from_reference(column)
    made = pseudo_rows(CategoricalProfile.of(column, spec), spec).tolist()
    assert (made.count("a"), made.count("b"), made.count(None)) == (6000, 3000, 1000)


def test_pseudo_rows_of_nothing_are_nothing():
    spec = NumericSpec.from_reference(np.array([1.0, 2.0]))
    assert np.isnan(pseudo_rows(NumericProfile.of(np.full(3, np.nan), spec), spec)).all()


@pytest.mark.django_db
def test_a_report_is_rendered_once_on_its_queue_and_shown(workspace, client_for, api):
    monitor = make.monitor(workspace)
    (window,) = make.days(monitor, 2.0)
    caller = make.system(workspace)
    report, was_there = reports.ask(caller=caller, window=window)
    assert not was_there
    assert reports.ask(caller=caller, window=window) == (report, True)
    assert Job.objects.get(kind="monitoring.report").queue == "reports"
    client = client_for("viewer")
    url = reverse("monitoring:report-detail", args=[report.uid])
    assert "<iframe" not in client.get(url).content.decode()

    run_until_idle(90)

    report.refresh_from_db()
    assert report.state == "ready"
    assert len(report.snapshot) < 500_000
    assert recorded_actions()[-1] == Action.REPORT_RENDERED
    told = api("viewer").get(f"/api/v1/reports/{report.uid}").json()
    assert told["snapshot_bytes"] == len(report.snapshot)
    assert told["html_bytes"] == len(report.html)
    page = client.get(url).content.decode()
    frame = reverse("monitoring:report-frame", args=[report.uid])
    assert f'src="{frame}"' in page
    assert 'sandbox="allow-scripts"' in page
    shown = client.get(frame)
    assert "temp" in shown.content.decode()
    zipped = client.get(frame, headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(zipped.content) == shown.content


@pytest.mark.django_db
def test_the_snapshot_can_be_loaded_again(workspace):
    from evidently.core.report import Snapshot

    monitor = make.monitor(workspace)
    (window,) = make.days(monitor, 0.0, count=50)
    report, _ = reports.ask(caller=make.system(workspace), window=window)
    run_until_idle(90)
    report.refresh_from_db()
    again = Snapshot.loads(gzip.decompress(bytes(report.snapshot)).decode())
    assert again.dict()["metrics"]


@pytest.mark.django_db
def test_the_frame_is_closed_by_headers_of_its_own(workspace, client_for):
    report = make.bare_report(workspace, html=b"<script>1</script>")
    client = client_for("viewer")
    answer = client.get(reverse("monitoring:report-frame", args=[report.uid]))
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer["Content-Security-Policy"].split(";")
    )
    assert policy["sandbox"] == "allow-scripts"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'unsafe-inline'"
    assert policy["frame-ancestors"] == "'self'"
    assert policy["img-src"] == policy["font-src"] == "data:"
    assert "style-src-attr" not in policy
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    other = client.get(reverse("monitoring:report-detail", args=[report.uid]))
    assert "unsafe-inline" not in other["Content-Security-Policy"]
    assert other["X-Frame-Options"] == "DENY"


@pytest.mark.django_db
def test_a_report_that_is_not_ready_has_no_frame(workspace, client_for):
    report = make.bare_report(workspace)
    client = client_for("viewer")
    assert client.get(reverse("monitoring:report-frame", args=[report.uid])).status_code == 404


@pytest.mark.django_db
def test_a_window_that_evidently_cannot_read_fails_with_a_reason(workspace, monkeypatch):
    from monitoring import evidently_report

    def fails(columns, *, drift_psi):
        raise ValueError("no column has values on both sides")

    monkeypatch.setattr(evidently_report, "render", fails)
    monitor = make.monitor(workspace)
    (window,) = make.days(monitor, 0.0, count=20)
    report, _ = reports.ask(caller=make.system(workspace), window=window)
    run_until_idle(20)
    report.refresh_from_db()
    assert (report.state, report.error) == ("failed", "no column has values on both sides")
    monkeypatch.undo()
    again, was_there = reports.ask(caller=make.system(workspace), window=window)
    assert (again.pk, was_there, again.state) == (report.pk, False, "waiting")


@pytest.mark.django_db
def test_asking_by_form_leads_to_the_report(workspace, client_for):
    monitor = make.bare_monitor(workspace)
    make.bare_window(monitor)
    client, url = client_for("viewer"), reverse("monitoring:report-ask", args=[monitor.uid])
    assert client.post(url, {"window": "2013-04-01"}).status_code == 302
    for wrong in ("", "2013-04-02", "soon"):
        assert client.post(url, {"window": wrong}).status_code == 404


def test_the_web_process_imports_neither_evidently_nor_our_use_of_scipy():
    """Evidently costs 3.5 s and 280 MB; only the job on the queue ``reports`` may pay that."""
    code = (
        "import sys, django; django.setup(); import config.urls; from django.urls import resolve;"
        "resolve('/monitoring/');"
        "heavy = {'evidently', 'plotly', 'monitoring.drift', 'monitoring.services.windows'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
