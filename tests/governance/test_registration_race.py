"""Registration checks under a killed process and at one and the same moment."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from audit.models import Event
from governance import receivers
from governance.models import RegistrationCheck
from governance.services import registration
from registry.models import ModelVersion
from tests.factories import governance as make
from tests.governance.test_race import at_once
from tests.governance.test_registration_check import finish_row, pass_deadline, pending, told

# The first test with a house builds its database, which takes its time on a busy machine.
pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]

GATES = ("auc.lower95 >= 0.6",)
#: Judges the gates, writes them and the status, and then hangs inside the transaction.
HANGS = """
import sys, time
import django
django.setup()
from governance.services import registration
from registry.models import ModelVersion
settle = registration._settle
def hang(*args):
    settle(*args)
    print("settled, not committed", flush=True)
    time.sleep(120)
registration._settle = hang
registration.begin(ModelVersion.objects.get(uid=sys.argv[1]))
"""


def test_a_process_killed_in_the_middle_leaves_nothing_half_done(house):
    workspace = house.workspace()
    make.policy(workspace, gates=GATES)
    version = pending(
        make.model(workspace, gated_at_registration=True),
        created_at=Now() - timedelta(seconds=300),
    )
    make.evaluation(version, state="running")
    process = house.start("checker", sys.executable, "-c", HANGS, str(version.uid))
    house.wait(
        "it is judged", lambda: "not committed" in process.log, timeout_s=90, alive=[process]
    )

    process.kill()

    assert told(version) == ("PENDING_REGISTRATION", "")
    assert not RegistrationCheck.objects.exists()

    registration.keep_moving()

    status, message = told(version)
    assert status == "READY"
    assert "evidence running" in message
    assert RegistrationCheck.objects.get().gates.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_begin_one_check(workspace):
    make.policy(workspace, gates=GATES)
    version = pending(make.model(workspace, gated_at_registration=True))
    make.evaluation(version)

    errors = at_once(lambda: registration.begin(version), lambda: registration.begin(version))

    assert errors == [None, None]
    assert RegistrationCheck.objects.count() == 1
    assert told(version)[0] == "READY"
    assert Event.objects.filter(action="version.status_changed").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("auc", [0.7, 0.55])
def test_evidence_at_the_very_deadline_has_the_last_word(workspace, auc):
    make.policy(workspace, gates=GATES)
    version = pending(make.model(workspace, gated_at_registration=True))
    running = make.evaluation(version, state="running")
    registration.begin(version)
    pass_deadline(version)
    finish_row(running, auc)

    errors = at_once(
        lambda: receivers.on_evidence_finished(None, evidence=running),
        registration.keep_moving,
        registration.keep_moving,
    )

    assert errors == [None, None, None]
    check = RegistrationCheck.objects.get()
    status = ModelVersion.objects.get(pk=version.pk).status
    assert (check.state, status) == (
        ("passes", "READY") if auc == 0.7 else ("fails", "FAILED_REGISTRATION")
    )
