"""The REST API: ask, watch, stop, repeat; each refusal is a clear problem and leaves nothing."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from audit.actions import Action
from evaluation.models import Evidence, PredictionsFile
from jobs.services.run import run_until_idle
from tests.evaluation.conftest import good
from tests.evaluation.test_computed import predicted
from tests.factories import evaluation as make
from tests.factories.registry import ModelVersionFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/evidence"


@pytest.fixture
def client(api):
    return api("model_owner")


def wish(version, **more):
    return {
        "kind": "evaluation",
        "model": version.model.name,
        "version": version.number,
        "dataset": "holdout",
        **more,
    }


def test_ask_watch_and_read(client, version, dataset, serve, endpoint_of):
    endpoint_of(version, serve(good))

    asked = client.post(URL, wish(version, params={"max_rows": 100}, seed=5), format="json")

    assert asked.status_code == 202, asked.content
    body = asked.json()
    assert (body["state"], body["job"]["state"], body["digest"]) == ("waiting", "queued", None)
    run_until_idle(max_s=20)
    found = client.get(f"{URL}/{body['uid']}").json()
    assert found["state"] == "complete"
    assert found["digest"].startswith("sha256:")
    assert found["result"]["sample"] == {"rows": 100, "of": 300}
    assert found["release_digest"] == version.release_digest
    listed = client.get(URL, {"kind": "evaluation", "state": "complete"}).json()["results"]
    assert [row["uid"] for row in listed] == [body["uid"]]
    assert "result" not in listed[0]
    assert client.get(URL, {"kind": "fairness"}).json()["results"] == []


def test_a_version_by_its_uid_alone(client, version, dataset, serve, endpoint_of):
    endpoint_of(version, serve(good))
    given = {"kind": "evaluation", "version": str(version.uid), "dataset": "holdout"}

    assert client.post(URL, given, format="json").status_code == 202


def test_explanations_are_evidence_too(client, version, dataset, serve, endpoint_of):
    endpoint_of(version, serve(good))
    given = {
        "model": version.model.name,
        "version": version.number,
        "dataset": "holdout",
        "rows": [1, 2],
        "params": {"sample_rows": 5, "background_rows": 3},
    }

    asked = client.post("/api/v1/explanations", given, format="json")

    assert asked.status_code == 202, asked.content
    run_until_idle(max_s=20)
    found = client.get(f"{URL}/{asked.json()['uid']}").json()
    assert found["kind"] == "explanation"
    assert [row["row"] for row in found["result"]["rows"]] == [1, 2]


def test_predictions_come_as_multipart(client, version, dataset):
    file = SimpleUploadedFile("p.parquet", make.parquet(predicted(dataset)).getvalue())
    given = {
        **wish(version),
        "origin": "computed",
        "predictions": file,
        "params": json.dumps({"threshold": 0.4}),
    }

    asked = client.post(URL, given, format="multipart")

    assert asked.status_code == 202, asked.content
    run_until_idle(max_s=20)
    found = client.get(f"{URL}/{asked.json()['uid']}").json()
    assert (found["state"], found["result"]["threshold"]) == ("complete", 0.4)


def test_refused_predictions_are_a_problem_and_an_event(client, version, dataset, recorded_actions):
    bad = predicted(dataset)
    bad["score"][7] = float("nan")
    file = SimpleUploadedFile("p.parquet", make.parquet(bad).getvalue())

    answer = client.post(
        URL, {**wish(version), "origin": "computed", "predictions": file}, format="multipart"
    )

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "score_not_a_number"
    assert "line 8" in answer.json()["errors"]["predictions"][0]
    assert not Evidence.objects.exists()
    assert not PredictionsFile.objects.exists()
    assert recorded_actions()[-1] == Action.PREDICTIONS_REFUSED


def test_reported_figures_are_complete_at_once_and_never_measured(client, version, dataset):
    given = wish(
        version,
        origin="reported",
        source="CI run 18",
        metrics={"auc": 0.81, "brier": {"value": 0.1, "lower95": 0.09, "upper95": 0.12}},
    )

    answer = client.post(URL, given, format="json")

    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["origin"], body["state"]) == ("reported", "complete")
    assert body["result"]["metrics"]["auc"] == {"value": 0.81}
    assert body["job"] is None
    from evaluation import selectors

    assert selectors.latest_complete(version, "evaluation") is None
    assert selectors.latest_complete(version, "evaluation", origins=["reported"]) is not None


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"kind": "benchmark"}, 400, "kind"),
        ({"kind": None}, 400, "kind"),
        ({"versoin": 1}, 400, "versoin"),
        ({"version": 99}, 400, "version"),
        ({"version": "x"}, 400, "version"),
        ({"model": "nobody"}, 400, "model"),
        ({"model": "n" * 10_000}, 400, "model"),
        ({"dataset": "nothing"}, 400, "dataset"),
        ({"dataset": ""}, 400, "dataset"),
        ({"params": {"colour": "red"}}, 400, "params.colour"),
        ({"params": [1]}, 400, "params"),
        ({"seed": -1}, 400, "seed"),
        ({"seed": 2**70}, 400, "seed"),
        ({"endpoint": "01890000-0000-7000-8000-000000000000"}, 400, "endpoint"),
        ({"metrics": {"auc": 1}}, 400, "metrics"),
        ({"origin": "reported"}, 400, "metrics"),
        ({"origin": "reported", "metrics": {"auc": "high"}}, 400, "metrics.auc"),
        (
            {"origin": "reported", "metrics": {"auc": {"value": 2, "upper95": 1}}},
            400,
            "metrics.auc",
        ),
        ({"origin": "computed"}, 400, "predictions"),
        ({}, 409, None),
    ],
)
def test_bad_wishes_are_named_and_leave_nothing(change, status, field, client, version, dataset):
    answer = client.post(URL, {**wish(version), **change}, format="json")

    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    if field:
        assert field in answer.json()["errors"]
    else:
        assert answer.json()["code"] == "no_endpoint"
    assert not Evidence.objects.exists()


def test_cancel_and_retry(client, version, dataset, serve, endpoint_of):
    endpoint_of(version, serve(good))
    uid = client.post(URL, wish(version), format="json").json()["uid"]

    assert client.post(f"{URL}/{uid}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{URL}/{uid}/cancel").status_code == 409
    assert client.post(f"{URL}/{uid}/retry").status_code == 202
    run_until_idle(max_s=20)
    assert client.get(f"{URL}/{uid}").json()["state"] == "complete"
    assert client.post(f"{URL}/{uid}/retry").json()["code"] == "invalid_transition"


def test_another_workspaces_evidence_does_not_exist(client, version):
    foreign = make.EvidenceFactory()

    assert client.get(f"{URL}/{foreign.uid}").status_code == 404
    assert client.post(f"{URL}/{foreign.uid}/cancel").status_code == 404
    assert client.get(URL).json()["results"] == []
    other = wish(ModelVersionFactory())
    assert client.post(URL, other, format="json").status_code == 400


def test_a_list_asks_as_often_for_12_rows_as_for_2(
    client, version, second, django_assert_max_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert client.get(URL).status_code == 200
        return len(caught)

    make.EvidenceFactory.create_batch(2, version=version)
    client.get(URL)
    few = queries()
    make.EvidenceFactory.create_batch(10, version=second, kind="differential", baseline=version)

    assert queries() == few
