"""Evidence computed from uploaded predictions goes through the same code as measured evidence."""

import io
import json

import pytest

from audit.actions import Action
from audit.models import Event
from evaluation.errors import PredictionsRefused
from evaluation.models import Evidence, PredictionsFile
from evaluation.services import predictions, request
from jobs.services.run import run_until_idle
from registry.services import datasets
from tests.evaluation.conftest import good, other
from tests.factories import evaluation as make

pytestmark = pytest.mark.django_db


def rows_of(dataset):
    return datasets.read_table(dataset).to_pylist()


def predicted(dataset, score=good, **extra):
    rows = rows_of(dataset)
    columns = {"row": [row["id"] for row in rows], "score": [score(row) for row in rows]}
    return {**columns, **extra}


def run(evidence):
    run_until_idle(max_s=30)
    evidence.refresh_from_db()
    return evidence


def test_computed_equals_measured(caller, version, second, dataset, serve, endpoint_of):
    """Same scores, same figures: whichever way they came."""
    endpoint_of(version, serve(good))
    endpoint_of(second, serve(other))
    for kind, params in (
        ("evaluation", {}),
        ("fairness", {"groups": ["group"]}),
        ("differential", {"segments": ["group", "x"]}),
    ):
        wish = {
            "caller": caller,
            "kind": kind,
            "version": second,
            "dataset": dataset,
            "params": params,
        }
        if kind == "differential":
            wish["baseline"] = version
        measured = run(request.ask(**wish))
        shuffled = predicted(dataset, other)
        order = list(range(len(shuffled["row"])))[::-1]
        files = {
            "predictions": make.parquet(
                {name: [values[at] for at in order] for name, values in shuffled.items()}
            )
        }
        if kind == "differential":
            files["baseline_predictions"] = make.parquet(predicted(dataset, good))
        computed = run(request.ask(**wish, origin="computed", **files))

        assert measured.state == computed.state == "complete", (measured.error, computed.error)
        one, two = dict(measured.result), dict(computed.result)
        one.pop("latency_ms")
        for result in (one, two):
            for row in result.get("most_different", []):
                del row["row"], row["features"]  # ids instead of numbers, and no endpoint's inputs
        assert one == two
        assert measured.digest != computed.digest
        assert dataset.digest in computed.data_digests


def test_a_file_alone_is_enough(caller, version, second):
    def csv(score):
        lines = ["row,score,label,group"]
        lines += [f"{n},{score(n):.4f},{n % 2},{'ab'[n % 3 == 0]}" for n in range(200)]
        return io.BytesIO("\n".join(lines).encode())

    def sharp(n):
        return 0.9 if n % 2 else 0.1 + 0.004 * (n % 100)

    evaluation = run(
        request.ask(
            caller=caller,
            kind="evaluation",
            version=version,
            origin="computed",
            predictions=csv(sharp),
        )
    )
    fairness = run(
        request.ask(
            caller=caller,
            kind="fairness",
            version=version,
            origin="computed",
            params={"groups": ["group"]},
        )
    )
    differential = run(
        request.ask(
            caller=caller,
            kind="differential",
            version=second,
            baseline=version,
            origin="computed",
            predictions=csv(lambda n: (n % 10) / 10),
            params={"segments": ["group"]},
        )
    )

    assert evaluation.result["rows"] == 200
    assert evaluation.result["metrics"]["auc"]["value"] == 1.0
    assert {row["value"] for row in fairness.result["groups"]} == {"a", "b"}
    assert differential.state == "complete", differential.error
    assert differential.result["flips"]["total"] > 0
    assert differential.result["metrics_delta"]["auc"]["delta"] < 0


def test_the_same_file_again_is_the_same_row(caller, version, dataset):
    first = make.parquet(predicted(dataset)).getvalue()

    def store():
        return predictions.store(
            caller=caller,
            version=version,
            dataset=dataset,
            fileobj=io.BytesIO(first),
            probability=True,
        )

    assert store() == store()
    assert PredictionsFile.objects.count() == 1


def without(columns, index):
    return {name: values[:index] + values[index + 1 :] for name, values in columns.items()}


def changed(columns, name, index, value):
    values = list(columns[name])
    values[index] = value
    return {**columns, name: values}


@pytest.mark.parametrize(
    ("spoil", "code", "says"),
    [
        (lambda c: without(c, 3), "rows_missing", "1 of the 300 rows of holdout have no pred"),
        (lambda c: changed(c, "row", 3, "r4"), "duplicate_row", "Row “r4” is there twice"),
        (
            lambda c: {n: [*v, "new" if n == "row" else 0.5] for n, v in c.items()},
            "unknown_row",
            "no row “new”",
        ),
        (lambda c: changed(c, "score", 9, float("nan")), "score_not_a_number", "line 10"),
        (lambda c: changed(c, "score", 9, None), "score_not_a_number", "line 10 is missing"),
        (lambda c: changed(c, "score", 0, 1.2), "score_out_of_range", "1.2"),
        (lambda c: {**c, "score": [str(v) for v in c["score"]]}, "score_not_a_number", "number"),
        (lambda c: {"row": c["row"], "points": c["score"]}, "no_score_column", "“score”"),
        (lambda c: {"score": c["score"][:-1]}, "rows_missing", "299 rows without ids"),
        (lambda c: changed(c, "row", 2, None), "row_id_missing", "Line 3"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_recorded_and_leaves_nothing(
    spoil, code, says, caller, version, dataset, recorded_actions
):
    file = make.parquet(spoil(predicted(dataset)))

    with (
        pytest.raises(PredictionsRefused) as caught,
        predictions.refusals_recorded(caller=caller, version=version),
    ):
        request.ask(
            caller=caller,
            kind="evaluation",
            version=version,
            dataset=dataset,
            origin="computed",
            predictions=file,
        )

    assert caught.value.code == code
    assert says in caught.value.message
    assert not PredictionsFile.objects.exists()
    assert not Evidence.objects.exists()
    assert recorded_actions()[-1] == Action.PREDICTIONS_REFUSED
    assert json.loads(Event.objects.latest("pk").body)["details"]["file"].startswith("sha256:")


@pytest.mark.parametrize(
    ("raw", "code"), [(b"", "empty_file"), (b"PAR1 and then nothing good", "unreadable_parquet")]
)
def test_an_unreadable_file_is_refused(raw, code, caller, version, dataset):
    with pytest.raises(PredictionsRefused) as caught:
        predictions.store(
            caller=caller,
            version=version,
            dataset=dataset,
            fileobj=io.BytesIO(raw),
            probability=True,
        )

    assert caught.value.code == code
    assert not PredictionsFile.objects.exists()


def test_whole_numbers_that_a_csv_made_floats_name_the_same_rows(caller, version):
    columns = {**make.people(30), "id": list(range(30))}
    dataset = make.upload(caller, columns, name="numbered")
    lines = ["row,score"] + [f"{n}.0,0.5" for n in range(30)]

    stored = predictions.store(
        caller=caller,
        version=version,
        dataset=dataset,
        fileobj=io.BytesIO("\n".join(lines).encode()),
        probability=True,
    )

    assert predictions.load(stored).column("row").to_pylist() == [str(n) for n in range(30)]


def test_files_of_different_rows_cannot_be_compared(caller, version, second):
    def csv(first):
        return io.BytesIO(
            "\n".join(["row,score", *(f"{first + n},0.5" for n in range(5))]).encode()
        )

    evidence = run(
        request.ask(
            caller=caller,
            kind="differential",
            version=second,
            baseline=version,
            origin="computed",
            predictions=csv(0),
            baseline_predictions=csv(1),
        )
    )

    assert (evidence.state, evidence.error_code) == ("failed", "rows_differ")


def test_a_file_changed_in_the_storage_is_noticed(caller, version, dataset, tmp_path):
    stored = predictions.store(
        caller=caller,
        version=version,
        dataset=dataset,
        fileobj=make.parquet(predicted(dataset)),
        probability=True,
    )
    path = tmp_path / "storage" / stored.storage_name
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b" ")

    evidence = run(
        request.ask(
            caller=caller, kind="evaluation", version=version, dataset=dataset, origin="computed"
        )
    )

    assert evidence.error_code == "digest_mismatch"
