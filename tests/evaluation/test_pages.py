"""The pages say what was found, what is not known, and what would help."""

import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.actions import Action
from evaluation.models import Evidence
from evaluation.services import report, request
from jobs.services.run import run_until_idle
from tests.evaluation.conftest import good, other
from tests.evaluation.test_computed import predicted
from tests.factories import evaluation as make
from tests.factories.registry import AliasFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client_for):
    return client_for("validator")


def page(browser, evidence, status=200):
    answer = browser.get(reverse("evaluation:evidence-detail", args=[evidence.uid]))
    assert answer.status_code == status
    return answer.content.decode()


def charts(text):
    """The specifications of the page's charts; each has traces and a caption."""
    found = re.findall(
        r'<script id="([\w-]+-data[\w-]*)" type="application/json">(.*?)</script>', text
    )
    for name, spec in found:
        assert f'data-chart="{name}"' in text
        assert json.loads(spec)["data"]
    return [name for name, _ in found]


def asked(caller, version, dataset, kind, **wish):
    evidence = request.ask(caller=caller, kind=kind, version=version, dataset=dataset, **wish)
    run_until_idle(max_s=30)
    evidence.refresh_from_db()
    assert evidence.state == "complete", evidence.error
    return evidence


def test_an_evaluations_page(browser, caller, version, dataset, serve, endpoint_of):
    endpoint_of(version, serve(good))
    evidence = asked(caller, version, dataset, "evaluation")

    text = page(browser, evidence)

    auc = evidence.result["metrics"]["auc"]
    assert f"Version 1 has an AUC of <strong>{auc['value']:.3f} [" in text
    assert charts(text) == ["roc-data", "calibration-data", "histogram-data"]
    assert "7\xa0rows have no label" in text
    assert "used 1\xa0time to judge" in text
    assert evidence.digest in text
    assert "Run it again" not in text


def test_a_differentials_page(browser, caller, version, second, dataset, serve, endpoint_of):
    AliasFactory(version=version, name="champion")
    endpoint_of(version, serve(good))
    endpoint_of(second, serve(other))
    evidence = asked(caller, second, dataset, "differential", params={"segments": ["group", "x"]})

    text = page(browser, evidence)

    flips = evidence.result["flips"]
    assert f"changes <strong>{flips['total']} of 300</strong> decisions against version 1" in text
    assert len(charts(text)) == 2
    assert "Most decisions flip for" in text
    assert "Rows that differ most" in text
    assert "Is it better?" in text


def test_a_fairness_page(browser, caller, version, dataset, serve, endpoint_of):
    endpoint_of(version, serve(good))
    evidence = asked(caller, version, dataset, "fairness", params={"groups": ["group"]})

    text = page(browser, evidence)

    assert "The selection-rate ratio by group is" in text
    assert "the limit of 0.80" in text
    assert charts(text) == ["fairness-data-0"]


def test_an_explanations_page(browser, caller, version, dataset, serve, endpoint_of):
    endpoint_of(version, serve(good))
    evidence = asked(
        caller, version, dataset, "explanation", params={"rows": [3], "sample_rows": 6}
    )

    text = page(browser, evidence)

    assert "<strong>x</strong> moves the score most" in text
    assert charts(text) == ["importance-data", "waterfall-data-0"]
    assert "so the values are exact" in text


def test_a_reported_page_says_that_nothing_was_measured(browser, caller, version):
    evidence = report.report(
        caller=caller, version=version, metrics={"auc": 0.8}, source="a notebook"
    )

    text = page(browser, evidence)

    assert "was reported by" in text
    assert "not measured here" in text
    assert "a notebook" in text


def test_a_failure_says_what_would_help_and_runs_again(
    browser, caller, version, dataset, serve, endpoint_of
):
    server = serve(good)
    server.behave = "fewer"
    endpoint_of(version, server, name="scorer")
    evidence = request.ask(caller=caller, kind="evaluation", version=version, dataset=dataset)
    run_until_idle(max_s=20)

    text = page(browser, evidence)
    assert "could not be computed" in text
    assert "Mend what the endpoint answers" in text
    assert "Run it again" in text

    server.behave = "well"
    answer = browser.post(reverse("evaluation:evidence-retry", args=[evidence.uid]))
    assert answer.status_code == 302
    run_until_idle(max_s=20)
    evidence.refresh_from_db()
    assert evidence.state == "complete"
    again = browser.post(reverse("evaluation:evidence-retry", args=[evidence.uid]))
    assert again.status_code == 409
    assert 'role="alert"' in again.content.decode()


def test_a_running_page_has_a_live_bar_and_can_be_stopped(
    browser, caller, version, dataset, serve, endpoint_of
):
    endpoint_of(version, serve(good))
    evidence = request.ask(caller=caller, kind="evaluation", version=version, dataset=dataset)

    text = page(browser, evidence)
    assert f"/evidence/{evidence.uid}/progress" in text
    assert "It waits its turn" in text
    bar = reverse("evaluation:evidence-progress", args=[evidence.uid])
    polled = browser.get(bar, headers={"HX-Request": "true"})
    assert "HX-Refresh" not in polled
    assert reverse("evaluation:evidence-cancel", args=[evidence.uid]) in polled.content.decode()

    assert (
        browser.post(reverse("evaluation:evidence-cancel", args=[evidence.uid])).status_code == 302
    )
    evidence.refresh_from_db()
    assert evidence.state == "cancelled"
    assert browser.get(bar, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert "cancelled before there was a result" in page(browser, evidence)


def test_a_viewer_sees_no_buttons(client_for, version):
    evidence = make.EvidenceFactory(version=version, state="failed", error_code="x", error="y")

    text = page(client_for("viewer"), evidence)

    assert "Run it again</button>" not in text
    assert "could not be computed. y" in text


def test_names_are_escaped(browser, caller, workspace):
    from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory

    model = RegisteredModelFactory(workspace=workspace, name="<script>alert(1)</script>")
    evidence = report.report(
        caller=caller,
        version=ModelVersionFactory(model=model),
        metrics={"<b>m</b>": 1.0},
        source="</script><img src=x>",
    )

    text = page(browser, evidence)

    assert "<script>alert(1)" not in text
    assert "<img src=x" not in text
    assert "<b>m" not in text.lower().replace("&lt;b&gt;m", "")


def test_the_list_narrows_and_asks_as_often_for_12_rows_as_for_2(browser, version, second):
    url = reverse("evaluation:evidence-list")
    assert "No evidence matches" in browser.get(url).content.decode()
    make.EvidenceFactory.create_batch(2, version=version)

    def queries():
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(url).status_code == 200
        return len(caught)

    few = queries()
    make.EvidenceFactory.create_batch(10, version=second, kind="fairness")
    assert queries() == few
    narrowed = browser.get(url, {"kind": "fairness", "version": 2}).content.decode()
    assert "10\xa0pieces of evidence match" in narrowed
    assert browser.get(url, {"kind": "nonsense"}).status_code == 200


def test_a_versions_evidence_is_a_part_for_htmx(browser, version):
    url = reverse("evaluation:version-evidence", args=[version.uid])
    assert "Nobody has asked" in browser.get(url).content.decode()
    make.EvidenceFactory(version=version)

    part = browser.get(url, headers={"HX-Request": "true"}).content.decode()

    assert "<html" not in part
    assert "Evaluation" in part
    assert reverse("evaluation:evidence-ask", args=[version.uid]) in part


def test_the_form_asks(browser, version, dataset, serve, endpoint_of):
    endpoint_of(version, serve(good))
    url = reverse("evaluation:evidence-ask", args=[version.uid])
    assert browser.get(url).status_code == 200

    answer = browser.post(
        url,
        {
            "kind": "fairness",
            "origin": "measured",
            "dataset": dataset.pk,
            "groups": "group",
            "favourable": "negative",
            "threshold": "0.4",
            "seed": "3",
        },
    )

    evidence = Evidence.objects.get()
    assert answer["Location"].endswith(reverse("evaluation:evidence-detail", args=[evidence.uid]))
    assert evidence.params["groups"] == ["group"]
    assert evidence.params["favourable"] == "negative"
    assert (evidence.params["threshold"], evidence.seed) == (0.4, 3)


def test_the_form_takes_a_file(browser, version, dataset):
    url = reverse("evaluation:evidence-ask", args=[version.uid])
    file = SimpleUploadedFile("p.parquet", make.parquet(predicted(dataset)).getvalue())

    answer = browser.post(
        url,
        {"kind": "evaluation", "origin": "computed", "dataset": dataset.pk, "predictions": file},
    )

    assert answer.status_code == 302, answer.content
    assert Evidence.objects.get().predictions.rows == 300


def test_the_form_refuses_beside_itself_and_leaves_nothing(
    browser, version, dataset, recorded_actions
):
    url = reverse("evaluation:evidence-ask", args=[version.uid])

    unclear = browser.post(url, {"kind": "explanation", "origin": "measured", "rows": "one"})
    nobody = browser.post(url, {"kind": "evaluation", "origin": "measured", "dataset": dataset.pk})
    bad_file = browser.post(
        url,
        {
            "kind": "evaluation",
            "origin": "computed",
            "dataset": dataset.pk,
            "predictions": SimpleUploadedFile("p.csv", b"score\n0.5\n"),
        },
    )

    assert unclear.status_code == 422
    assert "whole numbers separated by commas" in unclear.content.decode()
    assert nobody.status_code == 409
    assert "has no endpoint to ask" in nobody.content.decode()
    assert bad_file.status_code == 409
    assert not Evidence.objects.exists()
    assert recorded_actions()[-1] == Action.PREDICTIONS_REFUSED
