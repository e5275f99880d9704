"""What governance answers to delivery and to the registry's protected aliases."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from audit.models import Event
from delivery.ports import authority
from governance.authority import ApprovalAliasGuard, ApprovalAuthority
from governance.services import promotions
from registry import selectors as registry
from registry.errors import ProtectedAlias
from registry.ports import alias_guard
from registry.services import aliases
from tests.factories import governance as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def approved(workspace, signer, approve):
    promotion = make.promotion(workspace)
    approve(signer("validator"), promotion)
    return approve(signer("risk_officer"), promotion)


def why_not(promotion, **change):
    given = {
        "reference": promotion.reference,
        "release_digest": promotion.release_digest,
        "environment": "production",
        **change,
    }
    return ApprovalAuthority().why_not(**given)


def move(promotion, caller_for, *, version=None, name="champion", reference=None):
    return aliases.move(
        caller=caller_for("model_owner"),
        model=promotion.model,
        name=name,
        version=version or promotion.version,
        reference=promotion.reference if reference is None else reference,
    )


def test_both_answers_are_installed():
    assert isinstance(authority(), ApprovalAuthority)
    assert isinstance(alias_guard(), ApprovalAliasGuard)


def test_an_approval_is_good_for_its_release_and_place(approved):
    assert why_not(approved) is None
    assert "another release" in why_not(approved, release_digest="sha256:" + "0" * 64)
    assert "is about production, not staging" in why_not(approved, environment="staging")
    for nothing in ("", "promotion:", "promotion:x", f"promotion:{uuid4()}", "rollout:x"):
        assert "names no promotion request" in why_not(approved, reference=nothing)


def test_an_open_request_is_no_approval(workspace):
    assert why_not(make.promotion(workspace)) == "REQ-1 is open."


def test_an_approval_that_ended_or_was_withdrawn_is_none(approved, caller_for):
    with time_machine.travel(approved.valid_until + timedelta(seconds=1)):
        assert "has ended" in why_not(approved)
    promotions.withdraw(caller=caller_for("administrator"), promotion=approved, reason="")
    assert "is withdrawn" in why_not(approved)


def test_the_events_of_an_approval_are_all_that_must_be_sealed(approved):
    found = ApprovalAuthority().approval_events(approved.reference)

    actions = [Event.objects.get(pk=pk).action for pk in found]
    assert actions == ["request.opened", "request.signed", "request.signed", "request.approved"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("succeeded", "carried_out"), ("rolled_back", "rolled_back"), ("failed", "approved")],
)
def test_the_outcome_of_a_rollout_concludes_it(approved, outcome, status):
    rollout = SimpleNamespace(uid=uuid4(), reason="Too many errors.", workings={})

    ApprovalAuthority().conclude(reference=approved.reference, outcome=outcome, rollout=rollout)

    approved.refresh_from_db()
    assert approved.status == status


def test_what_went_live_overtakes_other_approvals(workspace, signer, approve, approved):
    ada, ben = signer("validator"), signer("risk_officer")
    other = make.version(approved.model)
    make.evaluation(other)
    later = make.promotion(workspace, of=other)
    approve(ada, later)
    later = approve(ben, later)

    ApprovalAuthority().conclude(
        reference=later.reference,
        outcome="succeeded",
        rollout=SimpleNamespace(uid=uuid4(), reason="", workings={}),
    )

    approved.refresh_from_db()
    assert approved.status == "invalidated"
    assert "no longer valid" in why_not(approved)


def test_the_alias_moves_for_its_approval_only(workspace, approved, caller_for):
    other = make.version(approved.model)

    for refused in (
        {"reference": ""},
        {"reference": "promotion:x"},
        {"version": other},
        {"name": "staging"},
        {"reference": f"rollout:{uuid4()}"},
        {"reference": f"rollback:{uuid4()}"},
    ):
        with pytest.raises(ProtectedAlias):
            move(approved, caller_for, **refused)
    assert registry.live_version(approved.model, "production") is None

    move(approved, caller_for)

    assert registry.live_version(approved.model, "production") == approved.version


def test_the_alias_does_not_move_for_an_open_request(workspace, caller_for):
    promotion = make.promotion(workspace)

    with pytest.raises(ProtectedAlias, match="REQ-1 is open"):
        move(promotion, caller_for)


def test_the_alias_does_not_move_after_the_end(workspace, approved, caller_for):
    with (
        time_machine.travel(timezone.now() + timedelta(days=31)),
        pytest.raises(ProtectedAlias, match="has ended"),
    ):
        move(approved, caller_for)
