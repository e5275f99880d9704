"""The switch on a model: do its new versions wait for their gates?"""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from audit.actions import Action
from audit.models import Event
from common.errors import NotAllowed
from registry.models import ModelVersion
from registry.release import ReleaseInput
from registry.services import gating, status, versions
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def model(workspace):
    return RegisteredModelFactory(workspace=workspace, name="credit-risk")


def register(caller, model):
    return versions.register(
        caller=caller, model=model, release=ReleaseInput(source=f"s3://{model.versions.count()}")
    )


def test_versions_wait_from_then_on(model, caller_for, recorded_actions):
    caller = caller_for("model_owner")
    before = register(caller, model)

    gating.switch(caller=caller, model=model, on=True)
    gating.switch(caller=caller, model=model, on=True)
    after = register(caller, model)

    assert (before.status, after.status) == ("READY", "PENDING_REGISTRATION")
    assert recorded_actions().count(Action.MODEL_UPDATED) == 1
    event = Event.objects.get(action=Action.MODEL_UPDATED)
    assert json.loads(event.body)["after"] == {"gated_at_registration": True}


def test_who_may_not_edit_switches_nothing(model, caller_for, recorded_actions):
    with pytest.raises(NotAllowed):
        gating.switch(caller=caller_for("validator"), model=model, on=True)
    model.refresh_from_db()
    assert not model.gated_at_registration
    assert Action.MODEL_UPDATED not in recorded_actions()


def test_the_page_switches_it_on_and_off(model, client_for):
    client = client_for("model_owner")
    url = reverse("registry:model-gating", args=[model.name])

    page = client.get(f"/models/{model.name}/").content.decode()
    assert "A new version is ready at once." in page
    answer = client.post(url, {"on": "1"}, follow=True)
    assert "A new version waits until" in answer.content.decode()
    client.post(url, {"on": "2"})
    model.refresh_from_db()
    assert model.gated_at_registration
    client.post(url, {"on": "0"})
    model.refresh_from_db()
    assert not model.gated_at_registration


def test_a_reader_sees_it_without_a_switch(model, client_for):
    page = client_for("viewer").get(f"/models/{model.name}/").content.decode()
    assert "ready at once" in page
    assert "Gate at registration</button>" not in page


def test_the_api_switches_it(model, api):
    answer = api("model_owner").patch(
        f"/api/v1/models/{model.name}", {"gated_at_registration": True}
    )
    assert answer.status_code == 200, answer.json()
    assert answer.json()["gated_at_registration"] is True
    wrong = api("model_owner").patch(
        f"/api/v1/models/{model.name}", {"gated_at_registration": "perhaps"}
    )
    assert wrong.status_code == 400


def test_a_version_is_answered_once_and_never_goes_back(model, caller_for, recorded_actions):
    version = ModelVersionFactory(model=model, status="PENDING_REGISTRATION")
    caller = caller_for("model_owner")

    for _ in range(2):
        settled = status.settle(
            caller=caller,
            version=version,
            status="FAILED_REGISTRATION",
            message="AUC\x00" + "x" * 900,
        )

    assert settled.status == "FAILED_REGISTRATION"
    assert len(settled.status_message) == status.MAX_MESSAGE
    assert recorded_actions().count(Action.VERSION_STATUS_CHANGED) == 1
    with pytest.raises(status.InvalidTransition):
        status.settle(caller=caller, version=version, status="PENDING_REGISTRATION")
    assert ModelVersion.objects.get().status == "FAILED_REGISTRATION"


def test_a_version_says_how_it_stands(model, api):
    ModelVersionFactory(model=model, status="FAILED_REGISTRATION", status_message="gate 'AUC'")
    found = api("viewer").get(f"/api/v1/models/{model.name}/versions/1").json()
    assert (found["status"], found["status_message"]) == ("FAILED_REGISTRATION", "gate 'AUC'")
