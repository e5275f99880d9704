"""Registration checks: evidence runs behind, and a gated version is answered in time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from audit.actions import Action
from common.canonical import digest_of
from common.errors import Conflict, NotAllowed
from evaluation.models import Evidence
from governance import receivers
from governance.models import RegistrationCheck
from governance.services import policies, registration
from jobs.models import Job
from jobs.services.run import run_until_idle
from registry.models import ModelVersion, RegisteredModel
from registry.signals import version_registered
from serving.services import provide
from tests.factories import governance as make
from tests.factories.serving import EndpointProvisionFactory
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db

GATES = ("auc.lower95 >= 0.6",)
State = RegistrationCheck.State


@pytest.fixture
def gated(workspace):
    """A model whose versions wait, and a policy with one gate."""
    make.policy(workspace, gates=GATES)
    return make.model(workspace, gated_at_registration=True)


def pending(model, **fields):
    return make.version(model, status="PENDING_REGISTRATION", **fields)


def told(version):
    version = ModelVersion.objects.get(pk=version.pk)
    return version.status, version.status_message


def pass_deadline(version):
    RegistrationCheck.objects.filter(version=version).update(
        deadline_at=Now() - timedelta(seconds=1)
    )


def finish(evidence, auc=0.7):
    """As evaluation completes it, and tells."""
    finish_row(evidence, auc)
    receivers.on_evidence_finished(None, evidence=evidence)


def finish_row(evidence, auc):
    """The same, with nobody told."""
    metrics = {"auc": {"value": auc, "lower95": auc - 0.02, "upper95": auc + 0.02}}
    Evidence.objects.filter(pk=evidence.pk).update(
        state="complete",
        result={"rows": 2000, "task": "binary", "metrics": metrics},
        digest=digest_of(str(evidence.uid)),
        completed_at=Now(),
    )


def test_all_gates_pass_and_it_is_ready(gated):
    version = pending(gated)
    make.evaluation(version, auc=0.7)

    check = registration.begin(version)

    assert check.state == State.PASSES
    assert told(version) == ("READY", "")
    assert recorded_actions()[-2:] == [Action.REGISTRATION_CHECKED, Action.VERSION_STATUS_CHANGED]


def test_a_gate_fails_and_it_says_which_by_how_much_and_where(gated, settings):
    version = pending(gated)
    make.evaluation(version, auc=0.55)

    check = registration.begin(version)

    assert check.state == State.FAILS
    status, message = told(version)
    assert status == "FAILED_REGISTRATION"
    assert message == (
        "gate 'AUC' failed: 0.550 [0.530 – 0.570] vs. ≥ 0.600 (lower95 end); see "
        f"{settings.BASE_URL}/w/acme/models/{gated.name}/versions/{version.number}/#registration"
    )


def test_it_waits_while_evidence_runs_and_is_answered_when_it_comes(gated):
    version = pending(gated)
    running = make.evaluation(version, state="running")

    assert registration.begin(version).state == State.RUNNING
    assert told(version) == ("PENDING_REGISTRATION", "")

    finish(running)

    assert told(version) == ("READY", "")


def test_at_the_deadline_it_is_ready_and_promotion_stays_blocked(gated):
    version = pending(gated)
    make.evaluation(version, state="running")
    registration.begin(version)
    registration.keep_moving()
    assert told(version)[0] == "PENDING_REGISTRATION"

    pass_deadline(version)
    registration.keep_moving()

    status, message = told(version)
    assert status == "READY"
    assert message.startswith("promotion blocked, evidence running; see http")
    assert RegistrationCheck.objects.get().state == State.RUNNING


@pytest.mark.parametrize(("auc", "status"), [(0.7, "READY"), (0.55, "FAILED_REGISTRATION")])
def test_late_evidence_still_has_the_last_word(gated, auc, status):
    version = pending(gated)
    running = make.evaluation(version, state="running")
    registration.begin(version)
    pass_deadline(version)
    registration.keep_moving()

    finish(running, auc)

    assert told(version)[0] == status
    assert "running" not in told(version)[1]
    assert RegistrationCheck.objects.get().state == (State.PASSES if auc == 0.7 else State.FAILS)


def test_the_deadline_counts_from_registration_not_from_when_somebody_looked(gated, settings):
    settings.REGISTRATION_DEADLINE_SECONDS = 240
    version = pending(gated, created_at=Now() - timedelta(seconds=200))
    version.refresh_from_db()

    check = registration.begin(version)

    assert check.deadline_at == version.created_at + timedelta(seconds=240)


def test_what_could_not_be_computed_did_not_fail(gated):
    version = pending(gated)
    make.evaluation(version, state="failed")

    check = registration.begin(version)

    assert check.state == State.COULD_NOT_COMPUTE
    status, message = told(version)
    assert status == "READY"
    assert message.startswith("promotion blocked, gate 'AUC' could not be computed: ")
    assert "timed out; run the check again at http" in message


def test_without_an_endpoint_it_says_so(gated):
    version = pending(gated)
    make.dataset(gated.workspace)

    registration.begin(version)

    assert f"version {version.number} has no endpoint" in told(version)[1]


def test_what_could_not_be_computed_is_run_again(gated, caller_for):
    version = pending(gated)
    make.evaluation(version, state="failed")
    registration.begin(version)
    make.evaluation(version, auc=0.7)

    check = registration.run_again(caller=caller_for("validator"), version=version)

    assert (check.state, check.runs) == (State.PASSES, 2)
    assert told(version) == ("READY", "")


def test_a_failed_one_is_run_again_after_new_evidence_and_under_the_newest_policy(
    gated, caller_for, workspace
):
    version = pending(gated)
    make.evaluation(version, auc=0.55)
    registration.begin(version)
    registration.run_again(caller=caller_for("validator"), version=version)
    assert told(version)[0] == "FAILED_REGISTRATION"

    policies.revise(
        caller=make.system(workspace),
        policy=workspace.policies.get(),
        source=make.source(gates=("auc.lower95 >= 0.5",)),
    )
    check = registration.run_again(caller=caller_for("validator"), version=version)

    assert check.policy_revision.number == 2
    assert told(version) == ("READY", "")


def test_who_may_not_run_evidence_runs_no_check(gated, caller_for):
    version = pending(gated)
    registration.begin(version)
    before = recorded_actions()

    with pytest.raises(NotAllowed):
        registration.run_again(caller=caller_for("viewer"), version=version)

    assert RegistrationCheck.objects.get().runs == 1
    assert recorded_actions() == before


def test_a_running_check_is_not_begun_twice(gated, caller_for):
    version = pending(gated)
    make.evaluation(version, state="running")
    registration.begin(version)

    with pytest.raises(Conflict, match="still running"):
        registration.run_again(caller=caller_for("validator"), version=version)
    assert registration.begin(version).runs == 1


def test_what_failed_once_is_not_cleared_by_not_being_measured(gated, caller_for, workspace):
    version = pending(gated)
    make.evaluation(version, auc=0.55)
    registration.begin(version)
    policies.revise(
        caller=make.system(workspace),
        policy=workspace.policies.get(),
        source=make.source(gates=("auc.lower95 >= 0.5",)).replace("holdout", "other"),
    )

    check = registration.run_again(caller=caller_for("validator"), version=version)

    assert check.state == State.COULD_NOT_COMPUTE
    assert told(version)[0] == "FAILED_REGISTRATION"


def test_what_is_live_is_not_taken_away_by_a_status(gated, caller_for):
    version = pending(gated)
    make.evaluation(version, auc=0.7)
    registration.begin(version)
    make.make_live(version)
    make.evaluation(version, auc=0.55)

    check = registration.run_again(caller=caller_for("validator"), version=version)

    assert check.state == State.FAILS
    status, message = told(version)
    assert status == "READY"
    assert message.startswith("gate 'AUC' failed")


def test_the_card_and_findings_decide_at_promotion(workspace):
    make.policy(workspace, gates=("card.complete", "findings.open == 0", *GATES))
    model = make.model(workspace, gated_at_registration=True, description="")
    make.finding(workspace, model=model)
    version = pending(model, card=False)
    make.evaluation(version)

    check = registration.begin(version)

    assert told(version) == ("READY", "")
    assert {gate.name: (gate.state, gate.severity) for gate in check.gates.all()} == {
        "card.complete": ("fails", "warn"),
        "findings.open == 0": ("fails", "warn"),
        GATES[0]: ("passes", "block"),
    }


def test_without_a_policy_nothing_is_checked_and_nobody_waits(workspace):
    version = pending(make.model(workspace, gated_at_registration=True))

    check = registration.begin(version)

    assert check.state == State.NO_POLICY
    status, message = told(version)
    assert status == "READY"
    assert message.startswith("no policy applies, so nothing was checked")


def test_the_last_environment_with_a_policy_asks(workspace):
    make.policy(workspace, gates=GATES)
    staging = make.source("staging", gates=("auc >= 0.5",)).replace("production", "staging")
    policies.create(caller=make.system(workspace), source=staging)
    tier3 = staging.replace("policy: staging", "policy: low").replace("tier: 2", "tier: 3")
    policies.create(caller=make.system(workspace), source=tier3)

    both = registration.begin(make.version(make.model(workspace)))
    low = registration.begin(make.version(make.model(workspace, tier=3)))

    assert (both.environment.name, low.environment.name) == ("production", "staging")


def test_an_ungated_version_is_looked_at_and_keeps_its_status(workspace):
    make.policy(workspace, gates=GATES)
    version = make.version(make.model(workspace))
    make.evaluation(version, auc=0.5)

    check = registration.begin(version)

    assert check.state == State.FAILS
    assert told(version) == ("READY", "")
    assert Action.VERSION_STATUS_CHANGED not in recorded_actions()


def test_registering_asks_in_a_job(gated, django_capture_on_commit_callbacks):
    version = pending(gated)
    version_registered.send(ModelVersion, version=version, caller=None)
    receivers.on_version_registered(None, version=version)

    assert Job.objects.get().kind == "governance.registration_check"
    run_until_idle(5)

    assert RegistrationCheck.objects.get().version == version
    assert told(version)[0] == "READY"


def test_where_no_policy_is_nothing_is_asked(workspace):
    version = make.version(make.model(workspace))

    receivers.on_version_registered(None, version=version)

    assert not Job.objects.exists()
    assert not RegistrationCheck.objects.exists()


def test_a_registration_that_was_forgotten_in_a_crash_is_picked_up(gated):
    """Killed between the commit and the job: no receiver ever heard of it."""
    old = pending(gated, created_at=Now() - timedelta(seconds=300))
    ungated = make.model(gated.workspace)
    behind = make.version(ungated, created_at=Now() - timedelta(seconds=60))
    RegisteredModel.objects.filter(pk=gated.pk).update(gated_at_registration=False)
    make.evaluation(old, state="running")

    registration.keep_moving()

    assert told(old)[0] == "READY"
    assert "evidence running" in told(old)[1]
    assert behind.registration_check.state == State.COULD_NOT_COMPUTE


def test_evidence_whose_end_nobody_heard_is_noticed(gated):
    version = pending(gated)
    running = make.evaluation(version, state="running")
    registration.begin(version)
    Evidence.objects.filter(pk=running.pk).update(
        state="failed", error_code="killed", error="the worker was killed"
    )

    registration.keep_moving()

    assert "the worker was killed" in told(version)[1]


def test_a_deleted_version_is_left_alone(gated):
    version = pending(gated)
    make.evaluation(version, state="running")
    registration.begin(version)
    ModelVersion.objects.filter(pk=version.pk).update(deleted_at=Now())
    pass_deadline(version)

    registration.keep_moving()

    assert told(version) == ("PENDING_REGISTRATION", "")


def test_a_check_names_its_policy_or_has_none(gated):
    check = registration.begin(pending(gated))

    with pytest.raises(IntegrityError, match="check_policy_is_whole"), transaction.atomic():
        RegistrationCheck.objects.filter(pk=check.pk).update(state="no_policy")


def test_while_an_endpoint_is_being_stood_up_it_waits(gated):
    make.dataset(gated.workspace)
    version = pending(gated)
    provision = EndpointProvisionFactory(version=version)
    registration.begin(version)
    registration.keep_moving()
    assert told(version)[0] == "PENDING_REGISTRATION"

    provide.give_up(provision=provision, reason="No such host.")
    registration.keep_moving()

    status, message = told(version)
    assert status == "READY"
    assert "has no endpoint" in message
