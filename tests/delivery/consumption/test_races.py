"""Many at once: a device counts once, a run has one receipt, a version one open recall."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from common.errors import AlreadyExists
from delivery.models import BatchReceipt, Device, FleetDay, Recall
from delivery.services import fleet, recalls, receipts
from governance.models import Finding
from tests.factories import delivery as make
from tests.factories.registry import AliasFactory, ModelVersionFactory
from tests.registry.test_races import at_once

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def model(workspace):
    route = make.ReadRouteFactory(workspace=workspace, environment=make.production(workspace))
    since = timezone.now() - timedelta(days=2)
    AliasFactory(version=ModelVersionFactory(model=route.model), started_at=since)
    ModelVersionFactory(model=route.model)
    return route.model


def test_batches_that_name_the_same_devices_count_each_once(model, caller_for):
    caller, now = caller_for("operator"), timezone.now()
    one, two = (version.release_digest for version in model.versions.order_by("number"))
    names = [f"unit-{number}" for number in range(600)]

    def send(number):
        # Every sender in another order: without one order of locks they would lock each other out.
        mine = random.Random(number).sample(names, len(names))
        at = now - timedelta(seconds=60 - number)
        digest = one if number % 2 else two
        said = [fleet.Report(name, digest, at) for name in mine]
        fleet.receive(caller=caller, model=model, reports=said)

    assert at_once(8, send) == []
    assert Device.objects.count() == 600
    assert {row.digest for row in Device.objects.all()} == {one}  # the newest report, number 7
    today = FleetDay.objects.filter(devices__gt=0)
    assert sum(row.devices for row in today) == 600 * len({row.day for row in today})


def test_one_run_sent_by_many_has_one_receipt_and_one_finding(model, workspace, caller_for):
    caller, begun = caller_for("operator"), timezone.now() - timedelta(hours=1)
    wrong = model.versions.get(number=2)
    run = receipts.Run(
        run_id="r", rows=1, started_at=begun, finished_at=begun, digest=wrong.release_digest
    )
    environment = make.production(workspace)

    def send(_):
        receipts.receive(caller=caller, model=model, environment=environment, run=run)

    assert at_once(8, send) == []
    assert BatchReceipt.objects.get().state == "mismatch"
    assert Finding.objects.count() == 1


def test_a_version_is_called_back_once(model, caller_for):
    caller, version = caller_for("operator"), model.versions.get(number=1)

    raised = at_once(
        6, lambda number: recalls.order(caller=caller, version=version, reason=f"{number}")
    )

    assert [type(error) for error in raised] == [AlreadyExists] * 5
    assert Recall.objects.count() == 1
