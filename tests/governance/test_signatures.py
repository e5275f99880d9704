"""Signing: who, what, and everything that is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import Event, Pii
from common.errors import Blocked, Conflict, Invalid, InvalidTransition, NotAllowed
from governance.models import PromotionRequest, Signature
from governance.services import promotions
from governance.services.signatures import DigestChanged
from outbound.models import Message
from tests.factories import governance as make
from tests.factories.accounts import ServiceAccountFactory
from tests.governance.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def refused(promotion):
    promotion.refresh_from_db()
    assert promotion.status == "open"
    assert Signature.objects.count() == 0
    assert not Event.objects.filter(action="request.signed").exists()


def test_the_last_signature_approves(workspace, signer, approve, recorded_actions):
    promotion = make.promotion(workspace)

    promotion = approve(signer("validator"), promotion, session_key="s3cret")
    assert promotion.status == "open"
    promotion = approve(signer("risk_officer"), promotion)

    assert promotion.status == "approved"
    assert promotion.valid_until > timezone.now() + timedelta(days=29)
    assert recorded_actions()[-3:] == ["request.signed", "request.signed", "request.approved"]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # the database agrees
    first = promotion.signatures.first()
    assert first.session_sha256 == hashlib.sha256(b"s3cret").hexdigest()
    assert Message.objects.filter(purpose="request.outcome").count() == 1


def test_the_signature_is_bound_to_its_event_and_its_reason_is_personal(workspace, signer, approve):
    promotion = approve(signer("validator"), make.promotion(workspace), reason="I read it.")

    signature = promotion.signatures.get()
    event = Event.objects.get(pk=signature.event_id)
    assert str(signature.uid) in event.body
    assert signature.digest in event.body
    assert "I read it." not in event.body
    assert Pii.objects.get(event=event, field="reason").value == "I read it."


def test_a_token_never_signs_not_even_a_persons(workspace, signer, approve):
    ada = signer("validator")
    promotion = make.promotion(workspace)
    session = make.caller(ada, workspace)
    token = replace(session, token=object(), scopes=frozenset({"admin"}))
    service = replace(session, service_account=ServiceAccountFactory(workspace=workspace))

    for machine in (token, service, make.system(workspace)):
        with pytest.raises(NotAllowed) as caught:
            approve(ada, promotion, caller=machine, meaning="I do")
        assert caught.value.code == "machine_cannot_sign"

    refused(promotion)


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper()])
def test_the_password_is_asked_again(workspace, signer, approve, password):
    promotion = make.promotion(workspace)

    with pytest.raises(NotAllowed) as caught:
        approve(signer("validator"), promotion, password=password)

    assert caught.value.code == "wrong_password"
    refused(promotion)


def test_no_author_signs(workspace, signer, approve):
    jun = signer("requester", "validator")
    promotion = make.promotion(workspace, by=jun)

    with pytest.raises(NotAllowed, match="someone else") as caught:
        approve(jun, promotion)

    assert caught.value.code == "author_cannot_sign"
    refused(promotion)


def test_the_digest_must_be_the_one_that_was_seen(workspace, signer, approve):
    promotion = make.promotion(workspace)

    with pytest.raises(DigestChanged) as caught:
        approve(signer("validator"), promotion, digest="sha256:" + "0" * 64)

    assert caught.value.code == "digest_changed"
    assert caught.value.extra["current"] == promotion.digest
    refused(promotion)


def test_evidence_that_nobody_looked_at_yet_changes_the_digest(workspace, signer, approve):
    promotion = make.promotion(workspace)
    seen = promotion.digest
    make.evaluation(promotion.version, auc=0.9)  # finished, but no receiver has run

    with pytest.raises(DigestChanged):
        approve(signer("validator"), promotion, digest=seen)

    refused(promotion)
    assert promotion.round == 2  # the refresh stays, although the signature was refused


def test_a_failing_gate_leaves_no_way_to_approve(workspace, signer, approve):
    promotion = make.promotion(workspace, gates=("auc >= 0.9",))

    with pytest.raises(Blocked) as caught:
        approve(signer("validator"), promotion)

    assert caught.value.code == "gates_block"
    assert "AUC" in caught.value.extra["reasons"][0]
    refused(promotion)


@pytest.mark.parametrize("state", ["waiting", "failed"])
def test_evidence_that_is_not_there_leaves_no_way_either(workspace, signer, approve, state):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    make.evidence(version, "evaluation", None, state=state)
    promotion = make.promotion(workspace, of=version, gates_pass=False)

    with pytest.raises(Blocked):
        approve(signer("validator"), promotion)

    refused(promotion)


def test_a_gate_that_only_warns_does_not_stand_in_the_way(workspace, signer, approve):
    promotion = make.promotion(
        workspace,
        gates=("card.complete", "{check: auc >= 0.9, severity: warn}"),
        approvals={"validator": 1},
    )

    assert approve(signer("validator"), promotion).status == "approved"


def test_a_finding_opened_meanwhile_blocks_though_the_digest_is_the_same(
    workspace, signer, approve
):
    promotion = make.promotion(workspace)
    make.finding(workspace, model=promotion.model)

    with pytest.raises(Blocked, match="1 open high findings"):
        approve(signer("validator"), promotion)

    refused(promotion)


def test_nobody_signs_twice_and_no_role_signs_too_often(workspace, signer, approve):
    both = signer("validator", "risk_officer")
    promotion = make.promotion(workspace)
    approve(both, promotion)

    with pytest.raises(Conflict) as caught:
        approve(both, promotion)
    assert caught.value.code == "already_signed"
    with pytest.raises(Conflict) as caught:
        approve(signer("validator"), promotion)
    assert caught.value.code == "role_satisfied"

    promotion.refresh_from_db()
    assert (promotion.status, promotion.signatures.count()) == ("open", 1)


def test_two_of_a_role_are_two_people(workspace, signer, approve):
    promotion = make.promotion(workspace, approvals={"validator": 2})

    assert approve(signer("validator"), promotion).status == "open"
    assert approve(signer("validator"), promotion).status == "approved"


@pytest.mark.parametrize("roles", [("viewer",), ("requester",), ("privacy_officer",)])
def test_only_the_policys_roles_sign(workspace, signer, approve, roles):
    promotion = make.promotion(workspace)

    with pytest.raises(NotAllowed) as caught:
        approve(signer(*roles), promotion)

    assert caught.value.code == "role_missing"
    refused(promotion)


@pytest.mark.parametrize("given", [{"meaning": "ok"}, {"meaning": ""}, {"role": "risk_officer"}])
def test_the_meaning_is_one_that_the_policy_offers_for_the_role(workspace, signer, approve, given):
    promotion = make.promotion(workspace)

    with pytest.raises(Invalid):
        approve(signer("validator"), promotion, **given)

    refused(promotion)


def test_a_rejection_ends_it(workspace, signer, approve, reject, recorded_actions):
    promotion = make.promotion(workspace)
    approve(signer("validator"), promotion)

    promotion = reject(signer("risk_officer"), promotion)

    assert (promotion.status, promotion.closed_reason) == ("rejected", "Not good enough.")
    assert recorded_actions()[-2:] == ["request.signed", "request.rejected"]
    with pytest.raises(InvalidTransition):
        approve(signer("risk_officer"), promotion)


def test_a_rejection_needs_a_reason_but_no_green_gates(workspace, signer, reject):
    promotion = make.promotion(workspace, gates=("auc >= 0.9",))
    ada = signer("validator")

    with pytest.raises(Invalid) as caught:
        reject(ada, promotion, reason=" ")
    assert "reason" in caught.value.fields
    refused(promotion)

    assert reject(ada, promotion).status == "rejected"


def test_what_has_lapsed_is_not_signed(workspace, signer, approve):
    promotion = make.promotion(workspace)
    PromotionRequest.objects.update(valid_until=timezone.now())

    with pytest.raises(Conflict) as caught:
        approve(signer("validator"), promotion)

    assert caught.value.code == "expired"
    refused(promotion)


def test_after_a_change_everybody_signs_again(workspace, signer, approve):
    ada, ben = signer("validator"), signer("risk_officer")
    promotion = make.promotion(workspace)
    approve(ada, promotion)
    make.evaluation(promotion.version, auc=0.71)
    promotion = promotions.refresh_gates(promotion)

    assert approve(ben, promotion).status == "open"
    assert approve(ada, promotion).status == "approved"
    assert promotion.signatures.count() == 3


def test_another_workspaces_request_is_not_signed(workspace, signer, person):
    from governance.services import signatures
    from tests.factories.accounts import MembershipFactory, WorkspaceFactory

    promotion = make.promotion(workspace)
    elsewhere = WorkspaceFactory()
    eve = signer("viewer")
    MembershipFactory(workspace=elsewhere, user=eve, role="validator")

    with pytest.raises(NotAllowed):
        signatures.approve(
            caller=make.caller(eve, elsewhere),
            promotion=promotion,
            digest=promotion.digest,
            meaning="I validated this version independently",
            password=PASSWORD,
        )

    refused(promotion)
