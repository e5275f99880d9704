"""Findings: opened by people and by facts, changed, closed with a resolution."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.utils import timezone

from common.errors import Invalid, InvalidTransition, NotAllowed
from governance import receivers
from governance.models import Finding
from governance.services import findings, promotions
from tests.factories import governance as make

pytestmark = pytest.mark.django_db


def test_a_finding_has_a_date_and_an_owner_even_if_nobody_says_so(workspace, recorded_actions):
    model = make.model(workspace)

    finding = make.finding(workspace, model=model)

    assert (finding.number, finding.owner) == (1, model.owner)
    assert finding.due_on == timezone.now().date() + timedelta(days=14)
    assert recorded_actions() == ["finding.opened"]


def test_numbers_have_no_gaps(workspace):
    assert [make.finding(workspace).number for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"severity": "awful"}, "severity"),
        ({"title": " "}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"description": "x" * 10_001}, "description"),
    ],
)
def test_what_is_wrong_is_said_by_field(workspace, change, field):
    with pytest.raises(Invalid) as caught:
        make.finding(workspace, **change)

    assert field in caught.value.fields
    assert Finding.objects.count() == 0


def test_the_owner_is_somebody_of_this_workspace(workspace, person):
    from tests.factories.accounts import UserFactory

    with pytest.raises(Invalid):
        make.finding(workspace, owner=UserFactory())
    assert make.finding(workspace, owner=person("viewer")).owner is not None


def test_only_some_roles_may(workspace, caller_for):
    with pytest.raises(NotAllowed):
        findings.open_finding(caller=caller_for("viewer"), severity="low", title="x")


def test_change_and_close(workspace, caller_for, person, recorded_actions):
    finding = make.finding(workspace)
    caller = caller_for("validator")
    owner = person("viewer")

    findings.update(caller=caller, finding=finding, severity="low", owner=owner)
    closed = findings.close(caller=caller, finding=finding, resolution="Retrained.")

    assert (closed.state, closed.severity, closed.closed_by) == ("closed", "low", caller.user)
    assert recorded_actions() == ["finding.opened", "finding.updated", "finding.closed"]
    with pytest.raises(InvalidTransition):
        findings.close(caller=caller, finding=finding, resolution="Again.")
    with pytest.raises(InvalidTransition):
        findings.update(caller=caller, finding=finding, severity="high")


def test_closing_needs_a_resolution(workspace, caller_for, recorded_actions):
    finding = make.finding(workspace)

    with pytest.raises(Invalid):
        findings.close(caller=caller_for("validator"), finding=finding, resolution="  ")

    finding.refresh_from_db()
    assert finding.state == "open"
    assert recorded_actions() == ["finding.opened"]


def alert(model):
    rule = SimpleNamespace(severity="medium", name="drift of the score")
    return SimpleNamespace(
        uid=uuid4(),
        workspace=model.workspace,
        monitor=SimpleNamespace(model=model),
        rule=rule,
        cause="PSI of the score is 0.31.",
        __str__=lambda self: "A-1",
    )


def test_an_alert_becomes_one_finding(workspace):
    model = make.model(workspace)
    fact = alert(model)

    for _ in range(2):
        receivers.on_threshold_crossed(None, alert=fact)

    finding = Finding.objects.get()
    assert (finding.source, finding.severity, finding.model) == ("alert", "medium", model)
    assert finding.description == "PSI of the score is 0.31."


@pytest.mark.parametrize(
    ("outcome", "count"),
    [("rolled_back", 1), ("needs_operator", 1), ("succeeded", 0), ("failed", 0)],
)
def test_a_rollout_that_came_back_becomes_one_finding(workspace, outcome, count):
    promotion = make.promotion(workspace)
    rollout = SimpleNamespace(
        uid=uuid4(),
        workspace=workspace,
        route=SimpleNamespace(model=promotion.model),
        to_version=promotion.version,
        reason="5 % errors.",
        reference=promotion.reference,
    )

    for _ in range(2):
        receivers.on_rollout_finished(None, rollout=rollout, outcome=outcome)

    assert Finding.objects.count() == count
    if count:
        assert Finding.objects.get().promotion == promotion


def test_a_high_finding_holds_back_the_next_promotion(workspace):
    promotion = make.promotion(workspace)
    finding = make.finding(workspace, model=promotion.model)
    promotion = promotions.refresh_gates(promotion)
    assert promotion.gates.get(position=1).state == "fails"
    assert promotion.signable_since is None

    findings.close(caller=make.system(workspace), finding=finding, resolution="Fixed.")
    promotion = promotions.refresh_gates(promotion)

    assert promotion.gates.get(position=1).state == "passes"


def test_finished_evidence_refreshes_the_gates(workspace):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    promotion = make.promotion(workspace, of=version, gates_pass=False)
    evidence = make.evaluation(version)

    receivers.on_evidence_finished(None, evidence=evidence)

    promotion.refresh_from_db()
    assert promotion.gates.get(position=0).state == "passes"
    assert promotion.signable_since is not None
