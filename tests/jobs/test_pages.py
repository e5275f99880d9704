"""The list of jobs, the bar, and the buttons."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.actions import Action
from jobs.models import Job
from jobs.registry import Done
from jobs.services.claim import claim_job
from tests.factories.accounts import WorkspaceFactory
from tests.factories.jobs import JobFactory, handling
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


def failed(workspace, **values):
    return JobFactory(workspace=workspace, state="failed", finished_at=timezone.now(), **values)


def test_the_list_shows_what_runs_what_went_wrong_and_no_other_workspaces_jobs(
    workspace, client_for
):
    claim_job(JobFactory(workspace=workspace, title="Evaluate risk 7").uid)
    failed(workspace, title="Explain risk 7", error="The endpoint does not answer.")
    JobFactory(workspace=WorkspaceFactory(), title="Foreign")

    page = client_for("operator").get(reverse("jobs:list")).content.decode().replace("\xa0", " ")

    assert "Evaluate risk 7" in page
    assert "The endpoint does not answer." in page
    assert "1 job runs or waits; 1 job ended without a result" in page
    assert "Run again" in page
    assert "Foreign" not in page


def test_an_empty_list_says_so(client_for):
    page = client_for("viewer").get(reverse("jobs:list")).content.decode()
    assert "Nothing runs and nothing waits." in page
    assert "No finished job matches." in page


def test_a_viewer_sees_no_buttons(workspace, client_for):
    JobFactory(workspace=workspace)
    failed(workspace)
    page = client_for("viewer").get(reverse("jobs:list")).content.decode()
    assert "Stop this job" not in page
    assert "Run again" not in page


def test_the_filter_is_in_the_url(workspace, client_for):
    failed(workspace, title="Alpha")
    JobFactory(workspace=workspace, state="succeeded", finished_at=timezone.now(), title="Beta")
    client = client_for("viewer")
    assert "Beta" not in client.get(reverse("jobs:list") + "?state=failed").content.decode()
    assert "Alpha" not in client.get(reverse("jobs:list") + "?q=bet").content.decode()
    assert client.get(reverse("jobs:list") + "?state=nonsense&page=99").status_code == 200


def test_a_title_is_shown_as_text(workspace, client_for):
    JobFactory(workspace=workspace, title="<script>alert(1)</script>")
    page = client_for("viewer").get(reverse("jobs:list")).content.decode()
    assert "<script>alert" not in page


def test_the_list_asks_as_often_for_12_jobs_as_for_2(workspace, client_for):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = client_for("operator")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(reverse("jobs:list")).status_code == 200
        return len(seen)

    for _ in range(2):
        JobFactory(workspace=workspace), failed(workspace)
    queries()
    few = queries()
    for _ in range(10):
        JobFactory(workspace=workspace), failed(workspace)
    assert queries() == few


def test_the_bar_polls_until_the_end_and_then_asks_for_the_page(workspace, client_for):
    client = client_for("viewer")
    job = JobFactory(workspace=workspace, title="Evaluate")
    url = reverse("jobs:progress", args=[job.uid])
    claim = claim_job(job.uid)
    claim.save(progress=0.42, message="Batch 42 of 100")

    running = client.get(url, headers={"HX-Request": "true"})
    page = running.content.decode()
    assert "Batch 42 of 100" in page
    assert 'value="0.42"' in page
    assert f'hx-get="{url}"' in page
    assert "HX-Refresh" not in running

    with handling(lambda job, claim: Done(message="All done.")):
        from jobs.services.run import run

        run(claim)
    over = client.get(url, headers={"HX-Request": "true"})
    assert "hx-get" not in over.content.decode()
    assert over["HX-Refresh"] == "true"
    assert "HX-Refresh" not in client.get(url)


def test_another_workspaces_bar_is_not_found(workspace, client_for):
    job = JobFactory(workspace=WorkspaceFactory())
    client = client_for("administrator")
    assert client.get(reverse("jobs:progress", args=[job.uid])).status_code == 404
    assert client.post(reverse("jobs:cancel", args=[job.uid])).status_code == 404
    assert client.post(reverse("jobs:retry", args=[job.uid])).status_code == 404


def test_cancelling_goes_back_to_where_the_button_was(workspace, client_for):
    job = JobFactory(workspace=workspace)
    response = client_for("operator").post(
        reverse("jobs:cancel", args=[job.uid]), headers={"Referer": "http://testserver/evidence/1/"}
    )
    assert response.status_code == 302
    assert response["Location"] == "http://testserver/evidence/1/"
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert recorded_actions() == [Action.JOB_CANCELLED]


def test_a_foreign_referer_is_not_followed(workspace, client_for):
    job = JobFactory(workspace=workspace)
    response = client_for("operator").post(
        reverse("jobs:cancel", args=[job.uid]), headers={"Referer": "https://evil.example/"}
    )
    assert response["Location"] == reverse("jobs:list")


@pytest.mark.parametrize(
    ("roles", "status", "words"),
    [("viewer", 403, "Only operators"), ("operator", 409, "already over")],
)
def test_a_refused_cancel_says_why_and_changes_nothing(workspace, client_for, roles, status, words):
    job = failed(workspace)
    if roles == "viewer":
        job = JobFactory(workspace=workspace)
    before = Job.objects.filter(pk=job.pk).values().get()

    response = client_for(roles).post(reverse("jobs:cancel", args=[job.uid]))

    assert response.status_code == status
    assert words in response.content.decode()
    assert Job.objects.filter(pk=job.pk).values().get() == before
    assert recorded_actions() == []


def test_running_a_failed_job_again(workspace, client_for):
    job = failed(workspace)
    assert client_for("operator").post(reverse("jobs:retry", args=[job.uid])).status_code == 302
    job.refresh_from_db()
    assert job.state == "queued"


def test_buttons_are_posts(workspace, client_for):
    job = JobFactory(workspace=workspace)
    assert client_for("operator").get(reverse("jobs:cancel", args=[job.uid])).status_code == 405


def test_the_api_lists_filters_and_shows(workspace, api):
    job = failed(workspace, error_code="timeout")
    JobFactory(workspace=workspace)
    client = api("viewer")

    rows = client.get("/api/v1/jobs?state=failed").json()["results"]
    assert [row["uid"] for row in rows] == [str(job.uid)]
    one = client.get(f"/api/v1/jobs/{job.uid}").json()
    assert (one["state"], one["error_code"]) == ("failed", "timeout")
    assert client.get("/api/v1/jobs?state=nonsense").status_code == 400


def test_the_api_cancels_and_retries(workspace, api):
    job = JobFactory(workspace=workspace)
    client = api("operator")
    assert client.post(f"/api/v1/jobs/{job.uid}/cancel").json()["state"] == "cancelled"
    again = client.post(f"/api/v1/jobs/{job.uid}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")
    assert client.post(f"/api/v1/jobs/{job.uid}/retry").json()["state"] == "queued"
    assert recorded_actions() == [Action.JOB_CANCELLED, Action.JOB_RETRIED]


def test_a_reading_token_cancels_nothing_not_even_its_owners_job(workspace, api, person):
    owner = person("requester")
    job = JobFactory(workspace=workspace, created_by_pid=owner.pid)
    refused = api(owner, scopes=["read"]).post(f"/api/v1/jobs/{job.uid}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_your_job")
    job.refresh_from_db()
    assert not job.cancel_requested
    assert api(owner).post(f"/api/v1/jobs/{job.uid}/cancel").status_code == 200
