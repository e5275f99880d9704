"""Thirty-two pipelines at once, each over a connection of its own."""

import json

import pytest
from django.test import Client

from accounts.callers import Caller
from audit.models import Event
from registry.models import Alias, ModelVersion, RegisteredModel
from registry.services import deletion
from tests.factories import accounts
from tests.registry.mlflow.conftest import PREFIX
from tests.registry.test_races import at_once

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]
CREATORS = 32


@pytest.fixture
def post(workspace):
    service = accounts.ServiceAccountFactory(workspace=workspace, roles=["model_owner"])
    _, text = accounts.token(workspace, service_account=service)

    def send(path, **given):
        return Client().post(
            PREFIX + path,
            json.dumps(given),
            content_type="application/json",
            headers={"Authorization": f"Bearer {text}"},
        )

    return send


def test_thirty_two_creators_of_one_model_leave_no_error_no_gap_no_duplicate(post):
    assert post("registered-models/create", name="credit").status_code == 200
    answers = {}

    def create(number):
        response = post("model-versions/create", name="credit", source=f"s3://run/{number}")
        answers[number] = (response.status_code, response.json())

    raised = at_once(CREATORS, create)

    assert raised == []
    assert {status for status, _ in answers.values()} == {200}
    given = sorted(int(body["model_version"]["version"]) for _, body in answers.values())
    assert given == list(range(1, CREATORS + 1))
    stored = ModelVersion.objects.order_by("number").values_list("number", flat=True)
    assert list(stored) == given
    assert RegisteredModel.objects.get().next_version == CREATORS + 1
    assert Event.objects.filter(action="version.registered").count() == CREATORS


def test_one_of_many_makers_of_a_model_makes_it_and_the_others_are_told(post):
    answers = []

    raised = at_once(
        8, lambda number: answers.append(post("registered-models/create", name="credit"))
    )

    assert raised == []
    refused = [answer.json() for answer in answers if answer.status_code != 200]
    assert [it["error_code"] for it in refused] == ["RESOURCE_ALREADY_EXISTS"] * 7
    assert RegisteredModel.objects.count() == 1


def test_tags_set_at_the_same_time_all_stay(post):
    post("registered-models/create", name="credit")
    post("model-versions/create", name="credit", source="s3://b")

    raised = at_once(
        8,
        lambda number: post(
            "model-versions/set-tag", name="credit", version="1", key=f"k{number}", value="v"
        ),
    )

    assert raised == []
    assert set(ModelVersion.objects.get().tags) == {f"k{number}" for number in range(8)}


def test_a_deletion_and_an_alias_at_once_leave_no_alias_on_a_deleted_version(post):
    post("registered-models/create", name="credit")
    for number in range(6):
        post("model-versions/create", name="credit", source=f"s3://{number}")

    def act(number):
        version = str(number // 2 + 1)
        if number % 2:
            post("registered-models/alias", name="credit", alias=f"a{version}", version=version)
        else:
            delete(version)

    def delete(version):
        row = ModelVersion.objects.select_related("model__workspace").get(number=version)
        deletion.delete_version(caller=Caller.system("test", row.model.workspace), version=row)

    assert at_once(6, act) == []

    standing = Alias.objects.filter(ended_at=None, version__deleted_at__isnull=False)
    assert not standing.exists()
    assert ModelVersion.objects.filter(deleted_at=None).count() == 3
