"""Evidence measured at a real HTTP endpoint, from asking to the sealed result."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from audit.actions import Action
from common.errors import Conflict, Invalid, NotAllowed
from evaluation.errors import NoEndpoint, NotOffered
from evaluation.models import Evidence, ScoredBatch
from evaluation.services import request
from evaluation.services.finish import evidence_digest
from jobs.models import Job
from jobs.services.run import run_until_idle
from registry.services import datasets
from tests.evaluation.conftest import good, other
from tests.factories import evaluation as make
from tests.factories.registry import AliasFactory, ModelVersionFactory, RegisteredModelFactory

pytestmark = pytest.mark.django_db


def run(evidence):
    run_until_idle(max_s=30)
    return Evidence.objects.with_context().get(pk=evidence.pk)


def test_an_evaluation_is_measured_sealed_and_told(
    caller, version, dataset, serve, endpoint_of, finished, recorded_actions
):
    server = serve(good)
    endpoint_of(version, server)

    asked = request.ask(
        caller=caller,
        kind="evaluation",
        version=version,
        dataset=dataset,
        params={"batch_rows": 64},
    )
    assert (asked.state, asked.digest) == ("waiting", None)
    evidence = run(asked)

    assert evidence.state == "complete"
    table = datasets.read_table(dataset).to_pydict()
    known = np.array([value is not None for value in table["label"]])
    scores = np.array([good({"x": x}) for x in table["x"]])[known]
    labels = np.array(table["label"])[known].astype(int)
    result = evidence.result
    assert result["rows"] == 293
    assert result["excluded"] == {"label_missing": 7}
    assert result["metrics"]["auc"]["value"] == pytest.approx(roc_auc_score(labels, scores))
    assert sum(result["confusion"].values()) == 293
    assert len(result["roc"]) <= 200
    assert result["latency_ms"]["calls"] == 5
    assert evidence.data_digests == [dataset.digest]
    assert evidence.digest == evidence_digest(evidence)
    assert evidence.completed_at is not None
    assert not ScoredBatch.objects.exists()
    assert server.calls == 5
    assert [it.pk for it in finished] == [evidence.pk]
    assert recorded_actions()[-2:] == [Action.EVIDENCE_ASKED, Action.EVIDENCE_COMPLETED]
    assert evidence.job.state == Job.State.SUCCEEDED


def test_a_seeded_sample_caps_the_rows_and_is_said(caller, version, dataset, serve, endpoint_of):
    server = serve(good)
    endpoint_of(version, server)

    def measure(seed):
        params = {"max_rows": 50}
        asked = request.ask(
            caller=caller,
            kind="evaluation",
            version=version,
            dataset=dataset,
            params=params,
            seed=seed,
        )
        return run(asked).result

    first, again, another = measure(1), measure(1), measure(2)

    assert first["sample"] == {"rows": 50, "of": 300}
    assert first["metrics"] == again["metrics"] != another["metrics"]
    assert len(server.rows) == 150


def test_a_regression_gets_its_own_metrics(caller, workspace, dataset, serve, endpoint_of):
    model = RegisteredModelFactory(workspace=workspace, kind="regression")
    version = ModelVersionFactory(model=model)
    endpoint_of(version, serve(lambda row: row["x"] + 0.1))

    asked = request.ask(
        caller=caller,
        kind="evaluation",
        version=version,
        dataset=dataset,
        params={"label_column": "x"},
    )
    result = run(asked).result

    assert set(result["metrics"]) == {"rmse", "mae", "r2"}
    assert result["metrics"]["rmse"]["value"] == pytest.approx(0.1)
    assert "confusion" not in result


def test_a_differential_compares_with_what_is_live(
    caller, model, version, second, dataset, serve, endpoint_of
):
    AliasFactory(version=version, name="champion")
    endpoint_of(version, serve(good))
    endpoint_of(second, serve(other))

    asked = request.ask(caller=caller, kind="differential", version=second, dataset=dataset)
    evidence = run(asked)

    assert evidence.state == "complete", evidence.error
    assert evidence.baseline == version
    table = datasets.read_table(dataset).to_pydict()
    rows = [
        dict(zip(("x", "z"), pair, strict=True))
        for pair in zip(table["x"], table["z"], strict=True)
    ]
    new = np.array([other(row) for row in rows])
    old = np.array([good(row) for row in rows])
    result = evidence.result
    assert result["rows"] == 300
    assert result["flips"]["to_positive"] == int(((new >= 0.5) & (old < 0.5)).sum())
    assert result["flips"]["to_negative"] == int(((new < 0.5) & (old >= 0.5)).sum())
    assert result["outside_tolerance"] == int((np.abs(new - old) > 0.01).sum())
    assert result["abs_diff"]["max"] == pytest.approx(np.abs(new - old).max())
    assert result["most_different"][0]["diff"] == pytest.approx(
        (new - old)[np.abs(new - old).argmax()]
    )
    assert set(result["most_different"][0]["features"]) == {"x", "z"}
    assert len(result["most_different"]) == 20
    assert {row["segment"] for row in result["flips_by_segment"]} == {"x", "z"}
    assert sum(row["rows"] for row in result["flips_by_segment"] if row["segment"] == "x") == 300
    assert result["metrics_delta"]["auc"]["lower95"] < result["metrics_delta"]["auc"]["delta"]
    assert result["excluded"] == {"label_missing": 7}


def test_fairness_by_group_in_a_persons_favour(caller, version, dataset, serve, endpoint_of):
    endpoint_of(version, serve(lambda row: 0.2 if row["x"] > 0 else 0.8))

    asked = request.ask(
        caller=caller,
        kind="fairness",
        version=version,
        dataset=dataset,
        params={"groups": ["group"], "favourable": "negative"},
    )
    result = run(asked).result

    assert result["positive_is"] == "score below 0.5"
    assert [group["value"] for group in result["groups"]] == ["a", "b"]
    table = datasets.read_table(dataset).to_pydict()
    of_a = [
        x > 0
        for x, g, y in zip(table["x"], table["group"], table["label"], strict=True)
        if g == "a" and y is not None
    ]
    assert result["groups"][0]["selection_rate"]["value"] == pytest.approx(np.mean(of_a))
    ratio = result["selection_rate_ratio"]["group"]
    assert 0 < ratio["lower95"] < ratio["value"] <= 1
    assert "group" in result["equalized_odds_difference"]


def test_an_explanation_of_an_additive_endpoint_is_exact(
    caller, version, dataset, serve, endpoint_of
):
    server = serve(lambda row: 0.3 * row["x"] - 0.1 * row["z"])
    endpoint_of(version, server)

    asked = request.ask(
        caller=caller,
        kind="explanation",
        version=version,
        dataset=dataset,
        params={"rows": [5, 8], "sample_rows": 10, "background_rows": 6},
        seed=4,
    )
    evidence = run(asked)

    assert evidence.state == "complete", evidence.error
    result = evidence.result
    assert [row["row"] for row in result["rows"]] == [5, 8]
    table = datasets.read_table(dataset).to_pydict()
    for row in result["rows"]:
        assert row["data"]["x"] == table["x"][row["row"]]
        assert result["base_value"] + sum(row["values"]) == pytest.approx(row["score"])
    gap = np.diff([row["values"][0] for row in result["rows"]])[0]
    assert gap == pytest.approx(0.3 * (table["x"][8] - table["x"][5]))
    assert result["global"][0]["feature"] == "x"
    assert result["budget"]["model_rows"] == len(server.rows)
    assert result["budget"]["background"] == 6
    assert evidence.digest == evidence_digest(evidence)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ("http_500", "http_500"),
        ("bad_rows", "bad_rows"),
        ("redirect", "redirected"),
        ("fewer", "wrong_count"),
        ("nan", "not_a_number"),
        ("html", "bad_json"),
        ("hang", "timeout"),
    ],
)
def test_a_bad_endpoint_is_a_failure_with_a_reason_and_can_be_run_again(
    behaviour, code, caller, version, dataset, serve, endpoint_of, finished, recorded_actions
):
    server = serve(good)
    server.behave = behaviour
    endpoint_of(version, server, timeout_ms=300, name="scorer")

    asked = request.ask(caller=caller, kind="evaluation", version=version, dataset=dataset)
    evidence = run(asked)

    assert evidence.state == "failed"
    assert evidence.error_code == code
    assert "scorer could not be used" in evidence.error
    assert (evidence.digest, evidence.result) == (None, {})
    assert not ScoredBatch.objects.exists()
    assert evidence.job.state == Job.State.FAILED
    assert Action.EVIDENCE_FAILED in recorded_actions()
    assert [it.state for it in finished] == ["failed"]

    server.behave = "well"
    request.retry(caller=caller, uid=evidence.uid)
    evidence = run(evidence)

    assert evidence.state == "complete"
    assert (evidence.error, evidence.error_code) == ("", "")
    assert recorded_actions().count(Action.EVIDENCE_ASKED) == 2


def test_trouble_that_passes_is_tried_again_without_scoring_anything_twice(
    caller, version, dataset, serve, endpoint_of
):
    server = serve(good)
    endpoint_of(version, server)

    def trouble(number):
        server.behave = "http_500" if number == 3 else "well"

    server.before_answer = trouble

    asked = request.ask(
        caller=caller,
        kind="evaluation",
        version=version,
        dataset=dataset,
        params={"batch_rows": 50},
    )
    evidence = run(asked)

    assert evidence.state == "complete"
    # a batch that was under way behind the failed one may be asked twice, but is kept once
    assert 300 <= len(server.rows) <= 350


def test_labels_that_are_no_labels_are_a_failure_that_says_what_helps(
    caller, version, serve, endpoint_of
):
    columns = make.people(40)
    columns["label"] = ["good", "bad"] * 20
    dataset = make.upload(caller, columns, name="words")
    endpoint_of(version, serve(good))

    failed = run(request.ask(caller=caller, kind="evaluation", version=version, dataset=dataset))
    worked = run(
        request.ask(
            caller=caller,
            kind="evaluation",
            version=version,
            dataset=dataset,
            params={"positive_label": "good"},
        )
    )

    assert (failed.state, failed.error_code) == ("failed", "label_not_binary")
    assert "positive_label" in failed.error
    assert worked.result["label"] == "label is good"
    assert worked.result["base_rate"] == 0.5


def test_the_same_unfinished_wish_is_one(caller, version, dataset, serve, endpoint_of):
    endpoint_of(version, serve(good))

    first = request.ask(caller=caller, kind="evaluation", version=version, dataset=dataset)
    again = request.ask(caller=caller, kind="evaluation", version=version, dataset=dataset)
    other_seed = request.ask(
        caller=caller, kind="evaluation", version=version, dataset=dataset, seed=1
    )

    assert again.pk == first.pk != other_seed.pk
    assert (
        Evidence.objects.count() == Job.objects.filter(kind__startswith="evaluation").count() == 2
    )


def refuse(error, **wish):
    with pytest.raises(error) as caught:
        request.ask(**wish)
    assert not Evidence.objects.exists()
    assert not Job.objects.filter(kind__startswith="evaluation").exists()
    return caught.value


def test_what_cannot_be_asked_is_refused_and_nothing_is_written(
    caller, caller_for, version, second, dataset, serve, endpoint_of
):
    wish = {"caller": caller, "kind": "evaluation", "version": version, "dataset": dataset}
    assert refuse(NoEndpoint, **wish).code == "no_endpoint"
    endpoint = endpoint_of(version, serve(good))

    refuse(NotAllowed, **{**wish, "caller": caller_for("viewer")})
    assert refuse(NotOffered, **{**wish, "kind": "benchmark"}).code == "no_kind"
    assert refuse(Invalid, **{**wish, "origin": "reported"}).fields == {
        "origin": ["measured or computed"]
    }
    assert "dataset" in refuse(Invalid, **{**wish, "dataset": None}).fields
    assert "seed" in refuse(Invalid, **wish, seed=-1).fields
    assert refuse(Invalid, **wish, params={"lable": "x"}).code == "bad_params"
    assert refuse(Invalid, **wish, params={"label_column": "nope"}).code == "no_such_column"
    assert "params.groups" in refuse(Invalid, **{**wish, "kind": "fairness"}).fields
    assert refuse(Invalid, **{**wish, "version": second}, endpoint=endpoint).code == (
        "wrong_endpoint"
    )
    assert refuse(Conflict, **{**wish, "kind": "differential"}).code == "no_baseline"
    assert (
        refuse(Invalid, **{**wish, "kind": "differential"}, baseline=version).code == "same_version"
    )
    assert (
        refuse(Invalid, **{**wish, "kind": "explanation"}, params={"rows": [300]}).code
        == "no_such_row"
    )
    assert (
        refuse(NotOffered, **{**wish, "kind": "explanation", "origin": "computed"}).code
        == "needs_endpoint"
    )


def test_another_workspaces_things_do_not_exist(caller, version, dataset, serve, endpoint_of):
    foreign = ModelVersionFactory()
    endpoint_of(foreign, serve(good))

    error = refuse(Invalid, caller=caller, kind="evaluation", version=foreign, dataset=dataset)

    assert error.code == "not_found"


def test_models_without_one_score_are_not_offered(caller, workspace, dataset, serve, endpoint_of):
    version = ModelVersionFactory(
        model=RegisteredModelFactory(workspace=workspace, kind="multiclass")
    )
    endpoint_of(version, serve(good))
    wish = {"caller": caller, "kind": "evaluation", "version": version, "dataset": dataset}

    assert refuse(NotOffered, **wish).code == "not_offered"
    assert run(request.ask(**wish, params={"task": "binary"})).state == "complete"
