"""The REST API: shapes, statuses, problems; and how many queries a read takes."""

from __future__ import annotations

import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.actions import Action
from jobs.services.run import run_until_idle
from monitoring.models import Ingest, Monitor
from monitoring.services import ingest
from tests.factories import monitoring as make
from tests.factories.accounts import WorkspaceFactory
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db
NDJSON, PARQUET = "application/x-ndjson", "application/vnd.apache.parquet"


@pytest.fixture
def client(api):
    return api("model_owner", "operator")


@pytest.fixture
def monitor(workspace):
    return make.monitor(workspace)


def post(client, monitor, what, body, content_type=NDJSON, **headers):
    url = f"/api/v1/monitors/{monitor.uid}/{what}"
    return client.generic("POST", url, body.getvalue(), content_type=content_type, **headers)


def monitor_body(workspace, **changes):
    model = RegisteredModelFactory(workspace=workspace)
    ModelVersionFactory(model=model, decision_threshold=0.3)
    return {
        "name": "flights",
        "model": model.name,
        "version": 1,
        "environment": "production",
        "reference": make.reference(workspace).name,
        "score_column": "score",
        "label_column": "late",
        "id_column": "flight_id",
        "time_column": "scheduled_at",
        "window": "month",
        **changes,
    }


def test_a_monitor_is_made_and_read(client, workspace):
    made = client.post("/api/v1/monitors", monitor_body(workspace), format="json")
    assert made.status_code == 201
    body = made.json()
    assert (body["window"], body["decision_threshold"], body["reference_rows"]) == (
        "month",
        0.3,
        3000,
    )
    assert body["columns"][0] == {"name": "temp", "kind": "numeric", "policy": "keep"}
    assert client.get(f"/api/v1/monitors/{body['uid']}").json() == body
    assert [item["uid"] for item in client.get("/api/v1/monitors").json()["results"]] == [
        body["uid"]
    ]


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"version": 99}, 404, None),
        ({"model": "nobody"}, 404, None),
        ({"environment": "moon"}, 404, None),
        ({"reference": "nothing"}, 400, "reference"),
        ({"score_column": "nothing"}, 400, "score_column"),
        ({"window": "hour"}, 400, "window"),
        ({"name": "x" * 300}, 400, "name"),
        ({"name": "x" * 10_000_000}, 413, None),
        ({"surprise": 1}, 400, "surprise"),
        ({"decision_threshold": "0.5"}, 400, "decision_threshold"),
    ],
)
def test_a_wrong_monitor_is_a_problem_with_the_field(client, workspace, changes, status, field):
    answer = client.post("/api/v1/monitors", monitor_body(workspace, **changes), format="json")
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    if field:
        assert field in answer.json()["errors"]
    assert not Monitor.objects.exists()


@pytest.mark.parametrize("content_type", [NDJSON, PARQUET, f"{NDJSON}; charset=utf-8"])
def test_predictions_and_labels_all_the_way(client, monitor, content_type):
    write = make.parquet if content_type == PARQUET else make.ndjson
    sent = make.rows(300)
    taken = post(client, monitor, "predictions", write(sent), content_type)
    assert taken.status_code == 202
    assert (taken.json()["rows"], taken.json()["state"]) == (300, "waiting")
    run_until_idle(20)
    url = f"/api/v1/monitors/{monitor.uid}/ingests"
    assert client.get(f"{url}/{taken.json()['uid']}").json()["state"] == "done"
    assert (
        post(client, monitor, "labels", write(make.labels(sent)), content_type).status_code == 202
    )
    run_until_idle(20)
    assert [item["what"] for item in client.get(url).json()["results"]] == ["labels", "predictions"]

    (window,) = client.get(f"/api/v1/monitors/{monitor.uid}/drift").json()["windows"]
    assert (window["rows"], window["labelled"], window["revision"]) == (300, 300, 2)
    temp = window["columns"][0]
    assert temp["column"] == "temp"
    assert temp["psi"]["lower95"] <= temp["psi"]["value"] <= temp["psi"]["upper95"]
    assert set(window["performance"]["realised"]) == {"auc", "accuracy", "log_loss", "brier"}
    assert 0 < window["performance"]["base_rate"] < 1
    assert 0 < window["performance"]["estimated_base_rate"] < 1


def test_the_same_again_is_replayed(client, monitor):
    body = make.ndjson(make.rows(10))
    headers = {"HTTP_IDEMPOTENCY_KEY": "batch-1"}
    first = post(client, monitor, "predictions", body, **headers)
    again = post(client, monitor, "predictions", body, **headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again["Idempotency-Replayed"] == "true"
    assert first.json()["uid"] == again.json()["uid"]
    other = post(client, monitor, "predictions", make.ndjson(make.rows(11)), **headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


def test_a_refused_upload_names_rows_and_is_an_event(client, monitor):
    bad = make.rows(5)
    bad["score"][2] = None
    answer = post(client, monitor, "predictions", make.ndjson(bad))
    assert answer.status_code == 400
    problem = answer.json()
    assert problem["code"] == "predictions_refused"
    assert problem["rows"] == [{"row": 3, "column": "score", "problem": "is missing."}]
    assert recorded_actions()[-1] == Action.PREDICTIONS_REFUSED
    assert not Ingest.objects.exists()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", NDJSON, 400),
        (b"{}", "application/json", 415),
        (b"a,b\n1,2", "text/csv", 415),
        (b"PAR1broken", PARQUET, 400),
        (b"\x00\x01", NDJSON, 400),
    ],
)
def test_bodies_that_are_nothing_are_problems(client, monitor, body, content_type, status):
    answer = post(client, monitor, "predictions", io.BytesIO(body), content_type)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert not Ingest.objects.exists()


def test_a_body_over_the_cap_is_not_read(client, monitor, monkeypatch):
    monkeypatch.setattr(ingest, "MAX_BYTES", 100)
    answer = post(client, monitor, "predictions", make.ndjson(make.rows(20)))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_drift_can_be_narrowed_and_bad_questions_are_named(client, monitor):
    make.days(monitor, 0.0, 2.0, 0.0, count=50)
    url = f"/api/v1/monitors/{monitor.uid}/drift"
    found = client.get(url, {"column": "temp", "from": "2013-04-02T00:00:00Z"}).json()["windows"]
    assert [window["start"][:10] for window in found] == ["2013-04-02", "2013-04-03"]
    assert [column["column"] for column in found[0]["columns"]] == ["temp"]
    assert found[0]["columns"][0]["drifted"]
    assert len(client.get(url, {"limit": 1}).json()["windows"]) == 1
    for query in ({"limit": 101}, {"column": "nothing"}, {"from": "soon"}, {"odd": 1}):
        answer = client.get(url, query)
        assert answer.status_code == 400
        assert list(answer.json()["errors"]) == list(query)


def test_reads_take_as_many_queries_for_twelve_windows_as_for_two(client, monitor):
    url = f"/api/v1/monitors/{monitor.uid}/drift"

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(url).status_code == 200
        return len(seen)

    make.days(monitor, 0.0, 0.0, count=20)
    queries()
    few = queries()
    make.days(monitor, *[0.0] * 12, count=21)
    assert queries() == few


def test_rules_are_made_tried_muted_and_switched(client, monitor):
    make.days(monitor, 2.0, 2.0)
    body = {
        "monitor": str(monitor.uid),
        "name": "Careful",
        "kind": "drift",
        "metric": "psi",
        "threshold": 0.05,
        "k": 1,
        "n": 1,
        "is_active": False,
    }
    made = client.post("/api/v1/alert-rules", body, format="json")
    assert made.status_code == 201
    url = f"/api/v1/alert-rules/{made.json()['uid']}"
    assert made.json()["sentence"] == "PSI > 0.05 and significant (BH 5 %) in one window"
    tried = client.post(f"{url}/backtest", {"threshold": 0.2}, format="json").json()
    assert (tried["windows"], tried["alerts"]) == (2, 1)
    assert client.post(f"{url}/activate").json()["is_active"]
    assert client.post(f"{url}/activate").status_code == 409
    assert not client.post(f"{url}/deactivate").json()["is_active"]
    assert (
        client.post(f"{url}/mute", {"until": "2001-01-01T00:00:00Z"}, format="json").status_code
        == 400
    )
    assert client.post(f"{url}/mute", {"until": None}, format="json").json()["muted_until"] is None
    listed = client.get("/api/v1/alert-rules", {"monitor": str(monitor.uid)}).json()["results"]
    assert [item["name"] for item in listed] == ["Careful", "Drift"]
    for bad in ({"threshold": None}, {"k": 9}, {"metric": "auc"}, {"monitor": "x"}):
        assert client.post("/api/v1/alert-rules", {**body, **bad}, format="json").status_code == 400


def test_alerts_are_read_and_dealt_with(client, monitor):
    make.days(monitor, 2.0, 2.0)
    (alert,) = client.get("/api/v1/alerts", {"state": "open"}).json()["results"]
    assert (alert["label"], alert["severity"], alert["window_start"][:10]) == (
        "A-1", "high", "2013-04-02",
    )  # fmt: skip
    url = f"/api/v1/alerts/{alert['uid']}"
    taken = client.post(f"{url}/acknowledge", {"note": "Mine."}, format="json").json()
    assert (taken["state"], taken["note"]) == ("acknowledged", "Mine.")
    assert taken["acknowledged_by"]
    assert client.post(f"{url}/acknowledge").status_code == 409
    assert client.post(f"{url}/resolve").json()["state"] == "resolved"
    assert client.post(f"{url}/resolve", {"note": "x" * 1001}, format="json").status_code == 400
    assert client.get("/api/v1/alerts", {"state": "odd"}).status_code == 400


def test_a_report_is_asked_for_once(client, monitor):
    make.days(monitor, 0.0, count=50)
    body = {"monitor": str(monitor.uid), "window": "2013-04-01T12:00:00+00:00"}
    first = client.post("/api/v1/reports", body, format="json")
    again = client.post("/api/v1/reports", body, format="json")
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["uid"] == again.json()["uid"]
    assert client.get(f"/api/v1/reports/{first.json()['uid']}").json()["state"] == "waiting"
    for window, status in (("2013-05-01", 404), ("soon", 400)):
        wrong = client.post("/api/v1/reports", {**body, "window": window}, format="json")
        assert wrong.status_code == status


def test_another_workspaces_things_are_not_there(client, person):
    other = WorkspaceFactory()
    from accounts.signals import workspace_created

    workspace_created.send(sender=type(other), workspace=other)
    alert = make.bare_alert(other)
    urls = (
        f"monitors/{alert.monitor.uid}",
        f"monitors/{alert.monitor.uid}/drift",
        f"alerts/{alert.uid}",
        f"alert-rules/{alert.rule.uid}",
    )
    for url in urls:
        assert client.get(f"/api/v1/{url}").status_code == 404
    assert client.get("/api/v1/alerts").json()["results"] == []
