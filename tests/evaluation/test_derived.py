"""A derived version is compared with its parent as soon as both can be asked; once."""

import io
import json
import threading

import pytest
from django.db import connection

from common.errors import Invalid
from evaluation.models import Evidence
from evaluation.services import derived, predictions, request
from jobs.services.run import run_until_idle
from registry.release import ReleaseInput
from registry.services import datasets, versions
from serving.signals import endpoint_ready
from tests.evaluation.conftest import good, other
from tests.factories.registry import (
    ModelVersionFactory,
    RegisteredModelFactory,
    VersionDatasetFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def small(version):
    """Quantised from ``version``."""
    return ModelVersionFactory(model=version.model, derived_from=version, derivation="quantised")


def asked():
    return list(Evidence.objects.filter(kind="differential").order_by("pk"))


def test_registering_asks_when_both_answer_already_and_no_fact_asks_again(
    caller, version, dataset, serve, endpoint_of, django_capture_on_commit_callbacks
):
    endpoint_of(version, serve(good))
    VersionDatasetFactory(version=version, dataset=dataset, use="validation")
    parent = {"version": version.number, "derivation": "pruned"}

    with django_capture_on_commit_callbacks(execute=True):
        small = versions.register(
            caller=caller,
            model=version.model,
            release=ReleaseInput(source="pruned", derived_from=parent),
        )
    assert asked() == []  # it has no endpoint yet
    assert "has no endpoint" in derived.why_not_compared(small)

    endpoint = endpoint_of(small, serve(other))
    endpoint_ready.send(sender=None, endpoint=endpoint)

    evidence = derived.compared(small)
    assert [it.pk for it in asked()] == [evidence.pk]
    assert (evidence.baseline, evidence.dataset, evidence.origin) == (version, dataset, "measured")
    run_until_idle(max_s=30)
    evidence.refresh_from_db()
    assert evidence.state == "complete"
    assert evidence.result["flips"]["total"] > 0

    endpoint_ready.send(sender=None, endpoint=endpoint)
    endpoint_ready.send(sender=None, endpoint=version.endpoints.get())
    assert len(asked()) == 1


def test_the_parents_endpoint_wakes_its_derivatives(version, small, dataset, serve, endpoint_of):
    endpoint_of(small, serve(other))
    VersionDatasetFactory(version=small, dataset=dataset, use="validation")
    endpoint_ready.send(sender=None, endpoint=endpoint_of(version, serve(good)))

    assert derived.compared(small).dataset == dataset


def test_predictions_of_both_are_enough(caller, version, small, dataset):
    rows = datasets.read_table(dataset).to_pylist()
    for of, score in ((version, good), (small, other)):
        body = "row,score\n" + "\n".join(f"{row['id']},{score(row)}" for row in rows)
        predictions.store(
            caller=caller,
            version=of,
            dataset=dataset,
            fileobj=io.BytesIO(body.encode()),
            probability=True,
        )

    derived.look(small.pk)

    evidence = derived.compared(small)
    assert (evidence.origin, evidence.dataset) == ("computed", dataset)
    run_until_idle(max_s=30)
    evidence.refresh_from_db()
    assert evidence.state == "complete", json.dumps([evidence.error])


def test_what_could_not_be_computed_is_not_asked_for_again_by_itself(
    version, small, dataset, serve, endpoint_of
):
    endpoint_of(version, serve(good))
    endpoint_of(small, serve(other))
    VersionDatasetFactory(version=small, dataset=dataset, use="validation")
    derived.look(small.pk)
    Evidence.objects.update(state="failed", error="timed out", error_code="timeout")

    derived.look(small.pk)

    assert len(asked()) == 1


def test_without_a_dataset_nothing_is_asked_and_it_says_so(version, small, serve, endpoint_of):
    endpoint_of(version, serve(good))
    endpoint_of(small, serve(other))

    derived.look(small.pk)

    assert asked() == []
    assert "validation dataset" in derived.why_not_compared(small)


def test_a_student_of_another_model_is_compared_with_its_teacher_only(
    caller, workspace, version, dataset, serve, endpoint_of
):
    student = ModelVersionFactory(
        model=RegisteredModelFactory(workspace=workspace),
        derived_from=version,
        derivation="distilled",
    )
    stranger = ModelVersionFactory(model=RegisteredModelFactory(workspace=workspace))
    for it in (version, student, stranger):
        endpoint_of(it, serve(good))

    evidence = request.ask(
        caller=caller, kind="differential", version=student, baseline=version, dataset=dataset
    )
    assert evidence.baseline == version
    with pytest.raises(Invalid, match="not what that was derived from"):
        request.ask(
            caller=caller, kind="differential", version=student, baseline=stranger, dataset=dataset
        )


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_two_facts_at_once_ask_once(version, small, dataset, serve, endpoint_of, monkeypatch):
    endpoint_of(version, serve(good))
    endpoint_of(small, serve(other))
    VersionDatasetFactory(version=small, dataset=dataset, use="validation")
    meeting = threading.Barrier(2)
    ask = request.ask

    def slow(**kwargs):
        try:
            meeting.wait(0.5)
        except threading.BrokenBarrierError:
            kwargs["seed"] = 1  # alone: the other waits for the lock. Another wish, so no dedupe.
        return ask(**kwargs)

    monkeypatch.setattr(derived.request, "ask", slow)

    def look():
        derived.look(small.pk)
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(asked()) == 1
