"""The pages: the sentence comes from the data, forms answer, and cost follows the window."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.actions import Action
from monitoring.models import AlertRule, Monitor
from tests.factories import monitoring as make
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


def page(client, name, *args, status=200, **query) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == status
    text = answer.content.decode().replace("\xa0", " ")
    return re.sub(r"\s+", " ", text)


@pytest.fixture
def monitor(workspace):
    return make.monitor(workspace)


def test_before_the_first_row_the_page_says_what_it_waits_for(client_for, monitor):
    text = page(client_for("viewer"), "monitoring:monitor-detail", monitor.uid)
    assert "No predictions have come in yet" in text
    assert "Windows are days, against" in text
    assert f"/api/v1/monitors/{monitor.uid}/predictions" in text


def test_the_sentence_is_of_the_newest_window(client_for, monitor):
    make.days(monitor, 0.0, 2.0, 2.0, label=True)
    text = page(client_for("operator"), "monitoring:monitor-detail", monitor.uid)
    assert re.search(
        "<strong>(temp|score)</strong> and <strong>(temp|score)</strong> have drifted since 2 Apr",
        text,
    )
    assert re.search(r"AUC was <strong>0\.\d{3}</strong> \[0\.\d+, 0\.\d+\] on 3 April 2013", text)
    assert "the estimate had said 0." in text
    assert "600 rows on 3 April 2013, 100 % of them labelled" in text
    assert "2 of 3 columns moved significantly by more than PSI 0.1" in text
    assert "Back-test: 1 alert in 3 windows; 2 crossed." in text
    assert "Alert A-1" in text
    assert "What to do now" in text
    for chart in ("heat", "performance", "bars"):
        assert f'id="{chart}" type="application/json"' in text


def test_calm_windows_are_said_to_be_calm(client_for, monitor):
    make.days(monitor, 0.0)
    text = page(client_for("viewer"), "monitoring:monitor-detail", monitor.uid)
    assert "Nothing has drifted on 1 April 2013." in text
    assert "Without labels AUC is estimated at" in text
    assert "No labels yet" in text
    assert "Alert A-" not in text


def test_column_and_window_are_chosen_in_the_address(client_for, monitor):
    make.days(monitor, 0.0, 2.0)
    client = client_for("viewer")
    text = page(
        client, "monitoring:monitor-detail", monitor.uid, column="carrier", window="2013-04-01"
    )
    assert "carrier: 1 April 2013 against the reference" in text
    assert "moved most, from" in text
    worst = page(client, "monitoring:monitor-detail", monitor.uid, column="odd", window="<script>")
    assert re.search("(score|temp): 2 April 2013 against the reference", worst)
    assert "<script>alert" not in worst


def test_missing_values_and_new_categories_are_counted(client_for, monitor):
    sent = make.rows(100)
    sent["temp"] = [None] * 25 + sent["temp"][25:]
    sent["carrier"] = ["NEW"] * 10 + sent["carrier"][10:]
    make.send(monitor, sent)
    make.run_until_idle(20)
    text = page(client_for("viewer"), "monitoring:monitor-detail", monitor.uid)
    assert "Missing most: temp" in text
    assert "25.0 %" in text
    assert "New categories in carrier" in text


def test_pages_take_as_many_queries_for_twelve_windows_as_for_two(client_for, monitor, workspace):
    client = client_for("operator")

    def queries(name, *args) -> int:
        page(client, name, *args)
        with CaptureQueriesContext(connection) as seen:
            page(client, name, *args)
        return len(seen)

    make.days(monitor, 0.0, 0.0, count=20)
    detail = queries("monitoring:monitor-detail", monitor.uid)
    rule = monitor.rules.get()
    tried = queries("monitoring:rule-detail", rule.uid)
    listed = queries("monitoring:monitor-list")
    make.days(monitor, *[0.0] * 12, count=21)
    for _ in range(10):
        make.bare_monitor(workspace)
    assert queries("monitoring:monitor-detail", monitor.uid) == detail
    assert queries("monitoring:rule-detail", rule.uid) == tried
    assert queries("monitoring:monitor-list") == listed
    assert detail < 40


def test_the_list_shows_monitors_and_unresolved_alerts(client_for, workspace):
    text = page(client_for("viewer"), "monitoring:monitor-list")
    assert "Nothing is watched yet." in text
    assert "New monitor" not in text
    alert = make.bare_alert(workspace)
    text = page(client_for("operator"), "monitoring:monitor-list")
    assert "1 alert is unresolved" in text
    assert alert.monitor.name in text
    assert "New monitor" in text
    assert "temp has drifted." in page(client_for("viewer"), "monitoring:alert-list", state="open")
    assert "No alert here." in page(client_for("viewer"), "monitoring:alert-list", state="resolved")


def test_an_alert_is_taken_on_muted_and_resolved_by_forms(client_for, workspace):
    alert = make.bare_alert(workspace)
    client = client_for("operator")
    url = reverse("monitoring:alert-handle", args=[alert.uid])
    assert client.post(url, {"do": "acknowledge", "note": "Mine."}).status_code == 302
    again = client.post(url, {"do": "acknowledge"})
    assert again.status_code == 409
    assert "acknowledged already" in again.content.decode()
    assert client.post(url, {"do": "dance"}).status_code == 422
    assert client.post(url, {"do": "mute", "days": "400"}).status_code == 422
    assert client.post(url, {"do": "mute", "days": "7"}).status_code == 302
    assert client.post(url, {"do": "resolve"}).status_code == 302
    alert.refresh_from_db()
    assert (alert.state, alert.note) == ("resolved", "Mine.")
    assert AlertRule.objects.get(pk=alert.rule_id).muted_until is not None
    assert "Mine." in page(client, "monitoring:alert-detail", alert.uid)
    assert recorded_actions() == [
        Action.ALERT_ACKNOWLEDGED, Action.ALERT_RULE_UPDATED, Action.ALERT_RESOLVED,
    ]  # fmt: skip


def test_a_viewer_sees_no_buttons(client_for, workspace):
    alert = make.bare_alert(workspace)
    text = page(client_for("viewer"), "monitoring:alert-detail", alert.uid)
    assert "Acknowledge" not in text
    assert "can take it on" in text


def test_a_monitor_is_made_by_form(client_for, workspace):
    model = RegisteredModelFactory(workspace=workspace)
    version = ModelVersionFactory(model=model)
    data = {
        "name": "flights",
        "version": str(version.uid),
        "environment": "production",
        "reference": make.reference(workspace).name,
        "score_column": "wrong",
        "label_column": "late",
        "id_column": "flight_id",
        "time_column": "scheduled_at",
        "window": "day",
    }
    client, url = client_for("model_owner"), reverse("monitoring:monitor-create")
    assert client.get(url).status_code == 200
    refused = client.post(url, data)
    assert refused.status_code == 409
    assert "has no column “wrong”" in refused.content.decode()
    assert client.post(url, {**data, "name": ""}).status_code == 422
    assert not Monitor.objects.exists()
    made = client.post(url, {**data, "score_column": "score"})
    assert made["Location"] == reverse(
        "monitoring:monitor-detail", args=[Monitor.objects.get().uid]
    )


def test_a_rule_is_made_switched_off_and_tried(client_for, monitor):
    make.days(monitor, 2.0, 2.0)
    client = client_for("operator")
    url = reverse("monitoring:rule-create", args=[monitor.uid])
    data = {"name": "AUC", "metric": "auc", "threshold": "0.7", "k": 1, "n": 1, "min_rows": 50,
            "severity": "low"}  # fmt: skip
    assert client.get(url).status_code == 200
    assert client.post(url, {**data, "threshold": "7"}).status_code == 409
    assert client.post(url, {**data, "k": "many"}).status_code == 422
    assert client.post(url, data).status_code == 302
    rule = monitor.rules.get(name="AUC")
    assert not rule.is_active
    assert "No window can be judged by it yet." in page(client, "monitoring:rule-detail", rule.uid)
    drift = monitor.rules.get(name="Drift")
    tried = page(client, "monitoring:rule-detail", drift.uid, threshold="99")
    assert "With these numbers it would have opened <strong>0 alerts</strong>" in tried
    assert "1 ≤ k" in page(client, "monitoring:rule-detail", drift.uid, k="9")
    client.post(reverse("monitoring:rule-switch", args=[rule.uid]), {"do": "on"})
    rule.refresh_from_db()
    assert rule.is_active


def test_names_are_text(client_for, workspace):
    name = "<img src=x onerror=alert(1)>"
    monitor = make.bare_monitor(workspace)
    Monitor.objects.filter(pk=monitor.pk).update(name=name)
    make.bare_window(monitor)
    for address in ("monitoring:monitor-list", "monitoring:monitor-detail"):
        args = [monitor.uid] if address.endswith("detail") else []
        assert name not in page(client_for("operator"), address, *args)
