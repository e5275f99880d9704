"""The rollout's live page, its buttons, and the lists."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from delivery.models import Rollout
from delivery.services import reconcile
from registry.models import Alias
from tests.factories import accounts
from tests.factories.delivery import RolloutFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client_for):
    return client_for("operator")


def page(client, stage, part=""):
    answer = client.get(f"/rollouts/{stage.rollout.uid}/{part}")
    assert answer.status_code == 200
    return answer.content.decode()


def running(stage):
    stage.start()
    stage.preflight()
    stage.step_in()
    stage.look((10, 1), (30,))


def test_the_page_says_what_the_rows_say(operator, stage):
    running(stage)
    text = page(operator, stage)

    assert "25.0 % of requests reach version 2 (25 % wanted)." in text
    assert "10 of 50 answers are in." in text
    assert "Errors: 10.00 % against 0.00 %." in text
    assert 'hx-trigger="every 1s"' in text
    assert "All traffic of flights goes back to version 1" in text
    assert "approvals sealed in checkpoint" in text
    assert text.count("<h1") == 1


def test_the_part_is_the_part_alone(operator, stage):
    running(stage)
    text = page(operator, stage, "?part=live")
    assert text.lstrip().startswith('<div id="rollout-live"')
    assert "<html" not in text


@pytest.mark.parametrize("end", ["rolled_back", "succeeded", "failed", "needs_operator"])
def test_at_rest_it_polls_no_more(operator, stage, end):
    running(stage)
    Rollout.objects.update(state=end, reason="It is so.")
    text = page(operator, stage)
    assert "every 1s" not in text


@pytest.mark.parametrize("state", Rollout.State.values)
def test_every_state_has_a_page_for_viewer_and_operator(operator, client_for, stage, state):
    stage.start()
    Rollout.objects.update(state=state, reason="Because.")
    assert page(operator, stage)
    assert "data-confirm" not in page(client_for("viewer"), stage)


def test_the_buttons_name_their_consequence(operator, stage):
    running(stage)
    text = page(operator, stage)
    assert "25 % of the traffic stay" in text
    stage.rollout.state = "paused"
    stage.rollout.save()
    text = page(operator, stage)
    assert "The approval is asked for again" in text


def test_it_is_steered_by_its_form(operator, stage):
    running(stage)
    url = f"/rollouts/{stage.rollout.uid}/steer"
    answer = operator.post(url, {"do": "pause"})
    assert (answer.status_code, answer["Location"]) == (302, f"/rollouts/{stage.rollout.uid}/")
    stage.tick()
    assert stage.state == "paused"
    again = operator.post(url, {"do": "pause"})
    assert again.status_code == 409
    assert "cannot be paused" in again.content.decode()
    operator.post(url, {"do": "resume"})
    assert stage.state == "running"
    operator.post(url, {"do": "rollback", "reason": "customers complain"})
    stage.tick()
    assert (stage.state, stage.rollout.reason) == ("rolling_back", "customers complain")
    assert operator.post(url, {"do": "dance"}).status_code == 404


def test_a_viewer_cannot_steer(client_for, stage):
    running(stage)
    answer = client_for("viewer").post(f"/rollouts/{stage.rollout.uid}/steer", {"do": "rollback"})
    assert answer.status_code == 403
    assert not Rollout.objects.get().abort_requested


def test_steering_needs_the_form_of_this_site(stage, client_for):
    running(stage)
    client = client_for("operator", enforce_csrf_checks=True)
    answer = client.post(f"/rollouts/{stage.rollout.uid}/steer", {"do": "rollback"})
    assert answer.status_code == 403
    assert not Rollout.objects.get().abort_requested


def test_another_workspaces_rollout_is_not_there(operator):
    other = RolloutFactory(route__gateway__workspace=accounts.WorkspaceFactory())
    assert operator.get(f"/rollouts/{other.uid}/").status_code == 404
    assert operator.post(f"/rollouts/{other.uid}/steer", {"do": "pause"}).status_code == 404


@pytest.mark.parametrize("path", ["/rollouts/", "/routes/"])
def test_a_list_makes_as_many_queries_for_twelve_as_for_two(client_for, workspace, path):
    client = client_for("viewer")
    assert "No " in client.get(path).content.decode()
    counts = []
    for rows in (2, 10):
        for _ in range(rows):
            RolloutFactory(route__gateway__workspace=workspace)
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            client.get(path)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_the_list_filters_by_state(client_for, workspace):
    RolloutFactory(route__gateway__workspace=workspace, route__name="going", state="running")
    RolloutFactory(route__gateway__workspace=workspace, route__name="gone", state="failed")
    text = client_for("viewer").get("/rollouts/?state=running").content.decode()
    assert "going" in text
    assert "gone" not in text
    for odd in ("?state=dancing", "?page=99", "?page=x"):
        assert client_for("viewer").get(f"/rollouts/{odd}").status_code == 200


def test_a_route_out_of_step_says_so(client_for, stage):
    Alias.objects.update(ended_at=timezone.now())
    reconcile.reconcile()
    text = client_for("viewer").get("/routes/").content.decode()
    assert "Needs attention" in text
    assert "The registry has nothing live" in text


def test_names_are_text_and_never_markup(client_for, workspace, operator):
    rollout = RolloutFactory(
        route__gateway__workspace=workspace,
        route__model__name="<script>alert(1)</script>",
        state="rolled_back",
        reason="<img src=x>",
    )
    for path in (f"/rollouts/{rollout.uid}/", "/rollouts/", "/routes/"):
        text = operator.get(path).content.decode()
        assert "<script>alert" not in text
        assert "<img src=x>" not in text
