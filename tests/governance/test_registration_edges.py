"""A version's registration check on its page and over REST."""

from __future__ import annotations

import pytest

from evaluation.models import Evidence
from governance.models import RegistrationCheck
from governance.services import registration
from tests.factories import governance as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(workspace):
    make.policy(workspace, gates=("auc.lower95 >= 0.6", "explanation.present"))
    model = make.model(workspace, name="credit risk", gated_at_registration=True)
    return make.version(model, status="PENDING_REGISTRATION")


def api_url(version):
    return f"/api/v1/models/{version.model.name}/versions/{version.number}/registration-check"


def page_url(version):
    return f"/models/{version.model.name}/versions/{version.number}/"


def test_the_page_shows_the_gates_as_a_request_does(version, client_for):
    make.evaluation(version, auc=0.55)
    registration.begin(version)

    html = client_for("validator").get(page_url(version)).content.decode()

    assert "A gate that blocks fails, under tier-2, revision 1, for production." in html
    assert "0.530 – 0.570" in html
    assert "Refused at registration" in html
    assert "Run the check again" in html


def test_the_card_asks_again_while_evidence_runs_and_then_stops(version, client_for):
    make.evaluation(version, state="running")
    make.evidence(version, "explanation", {"features": ["x"]})
    registration.begin(version)
    client = client_for("viewer")
    url = f"{page_url(version)}registration-check/"

    part = client.get(url).content.decode()
    assert 'hx-trigger="every 3s"' in part
    assert "at the latest" in part
    assert "Run the check again" not in part

    Evidence.objects.filter(state="running").update(state="failed", error="gone", error_code="x")
    registration.keep_moving()
    assert "hx-trigger" not in client.get(url).content.decode()


def test_a_button_runs_it_again(version, client_for):
    registration.begin(version)

    answer = client_for("validator").post(f"{page_url(version)}registration-check/", follow=True)

    assert "Checked again: could not be computed." in answer.content.decode()
    assert RegistrationCheck.objects.get().runs == 2


def test_a_version_without_a_check_is_given_one(version, client_for):
    html = client_for("validator").get(page_url(version)).content.decode()
    assert "Run the check<" in html
    client_for("validator").post(f"{page_url(version)}registration-check/")
    assert RegistrationCheck.objects.get().version == version


def test_the_api_tells_and_runs_it_again(version, api):
    assert api("viewer").get(api_url(version)).json()["code"] == "no_registration_check"
    make.evaluation(version, auc=0.55)
    registration.begin(version)

    found = api("viewer").get(api_url(version)).json()

    assert (found["state"], found["version_status"]) == ("fails", "FAILED_REGISTRATION")
    assert found["status_message"].startswith("gate 'AUC' failed: 0.550")
    assert [gate["state"] for gate in found["gates"]] == ["fails", "could_not_compute"]
    assert found["links"]["page"].endswith("/w/acme/models/credit%20risk/versions/1/#registration")
    again = api("validator").post(api_url(version))
    assert (again.status_code, again.json()["runs"]) == (200, 2)


def test_a_running_one_is_a_conflict(version, api):
    make.evaluation(version, state="running")
    make.evidence(version, "explanation", {"features": ["x"]})
    registration.begin(version)

    answer = api("validator").post(api_url(version))

    assert (answer.status_code, answer.json()["code"]) == (409, "check_running")


def test_the_card_asks_the_same_however_many_gates(
    version, client_for, django_assert_max_num_queries
):
    make.evaluation(version, auc=0.55)
    make.evidence(version, "explanation", {"features": ["x"]})
    registration.begin(version)
    client = client_for("viewer")
    client.get(page_url(version))
    with django_assert_max_num_queries(12):
        client.get(f"{page_url(version)}registration-check/")
