"""What a client of the MLflow contract sees of a gated model: pending, then an answer."""

from __future__ import annotations

import pytest

from evaluation.models import Evidence
from governance.services import registration
from jobs.services.run import run_until_idle
from registry.models import ModelVersion
from tests.factories import governance as make

pytestmark = pytest.mark.django_db
ROOT = "/api/2.0/mlflow/model-versions"


@pytest.mark.parametrize(
    ("auc", "status", "message"),
    [(0.7, "READY", ""), (0.55, "FAILED_REGISTRATION", "gate 'AUC' failed: 0.550")],
)
def test_create_answers_pending_and_get_the_outcome(
    workspace, api, django_capture_on_commit_callbacks, auc, status, message
):
    make.policy(workspace, gates=("auc.lower95 >= 0.6",))
    model = make.model(workspace, gated_at_registration=True)
    client = api("model_owner")

    with django_capture_on_commit_callbacks(execute=True):
        made = client.post(f"{ROOT}/create", {"name": model.name, "source": "s3://b/m"}).json()
    made = made["model_version"]
    assert made["status"] == "PENDING_REGISTRATION"
    make.evaluation(ModelVersion.objects.get(), auc=auc)
    run_until_idle(5)

    found = client.get(f"{ROOT}/get", {"name": model.name, "version": made["version"]})

    told = found.json()["model_version"]
    assert told["status"] == status
    assert told.get("status_message", "").startswith(message)
    assert not Evidence.objects.exclude(state="complete").exists()
    assert registration.url_of(ModelVersion.objects.get()) in told.get("status_message", "") or (
        status == "READY"
    )
