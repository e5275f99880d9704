"""What the database itself holds, met by going round the services."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models.functions import Now

from evaluation.models import Evidence, PredictionsFile
from evaluation.services.finish import evidence_digest
from tests.factories.evaluation import (
    EvidenceFactory,
    PredictionsFileFactory,
    ScoredBatchFactory,
    complete,
)
from tests.factories.registry import ModelVersionFactory

pytestmark = pytest.mark.django_db


def refused(match, act):
    with pytest.raises(DatabaseError, match=match), transaction.atomic():
        act()


def test_complete_evidence_never_changes_and_is_never_deleted():
    evidence = complete(EvidenceFactory(), {"rows": 1})
    rows = Evidence.objects.filter(pk=evidence.pk)

    for change in ({"result": {}}, {"state": "failed"}, {"digest": "sha256:0"}, {"error": "x"}):
        refused("does not change", lambda change=change: rows.update(**change))
    refused("never deleted", rows.delete)

    evidence.refresh_from_db()
    assert evidence.digest == evidence_digest(evidence)


def test_what_was_asked_does_not_change_and_no_evidence_is_deleted():
    evidence = EvidenceFactory()
    rows = Evidence.objects.filter(pk=evidence.pk)

    refused("asked for", lambda: rows.update(params={"threshold": 0.1}))
    refused("asked for", lambda: rows.update(seed=9))
    refused("asked for", lambda: rows.update(version=ModelVersionFactory()))
    refused("never deleted", rows.delete)
    assert rows.update(state="running") == 1


def test_complete_needs_a_digest_and_only_complete_has_one():
    evidence = EvidenceFactory()
    rows = Evidence.objects.filter(pk=evidence.pk)

    for change in (
        {"state": "complete"},
        {"digest": "sha256:0"},
        {"state": "complete", "completed_at": Now()},
    ):
        with (
            pytest.raises(IntegrityError, match="evidence_complete_has_digest"),
            transaction.atomic(),
        ):
            rows.update(**change)


def test_a_failure_says_why():
    with pytest.raises(IntegrityError, match="evidence_failure_says_why"):
        EvidenceFactory(state="failed", error_code="x")


def test_a_differential_has_two_versions():
    version = ModelVersionFactory()
    with pytest.raises(IntegrityError, match="has_baseline"), transaction.atomic():
        EvidenceFactory(kind="differential")
    with pytest.raises(IntegrityError, match="has_two_versions"), transaction.atomic():
        EvidenceFactory(kind="differential", version=version, baseline=version)


def test_a_batch_is_scored_once():
    batch = ScoredBatchFactory(index=4)
    with pytest.raises(IntegrityError, match="scored_batch_once"):
        ScoredBatchFactory(evidence=batch.evidence, index=4)


def test_a_predictions_file_stays_and_is_there_once():
    file = PredictionsFileFactory()
    rows = PredictionsFile.objects.filter(pk=file.pk)

    refused("does not change", lambda: rows.update(rows=2))
    refused("does not change", rows.delete)
    with pytest.raises(IntegrityError, match="predictions_file_once"):
        # without a dataset too: here NULL equals NULL
        PredictionsFileFactory(version=file.version, digest=file.digest)


def test_a_digest_survives_the_database_whatever_the_numbers():
    odd = {
        "tiny": 1e-300,
        "small": 1.5e-7,
        "third": 1 / 3,
        "whole": 5.0,
        "huge": 123456789012345.25,
        "beyond": int(1e22),
        "zero": 0.0,
        "text": "ä“”",
        "deep": [{"a": [0.1, None, True]}],
    }

    evidence = complete(EvidenceFactory(), odd)

    assert evidence.result == odd
    assert evidence.digest == evidence_digest(evidence)
