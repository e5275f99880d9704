"""The model card and the signature: what the gate reads, and that a card is signed as it is."""

from __future__ import annotations

import json

import pytest

from common.errors import NotAllowed
from governance.models import GateResult, RequestAuthor, Signature
from governance.services import policies, promotions
from registry import selectors as registry
from registry.models import CardRevision
from registry.services import cards
from tests.factories import governance as make
from tests.factories.registry_cards import WHOLE

pytestmark = pytest.mark.django_db
GATES = ("card.complete",)


@pytest.fixture
def opened(workspace, caller_for):
    """``opened(card=False)``: an open request for a version of tier 2 under one card gate."""

    def make_one(**fields):
        if not workspace.policies.exists():
            make.policy(workspace, gates=GATES)
        return promotions.open_request(
            caller=caller_for("requester"),
            version=make.version(make.model(workspace), **fields),
            environment=registry.get_environment(workspace, "production"),
        )

    return make_one


@pytest.fixture
def write(caller_for, django_capture_on_commit_callbacks):
    def act(promotion, who=None, **sections):
        card = CardRevision.objects.filter(version=promotion.version).first()
        with django_capture_on_commit_callbacks(execute=True):
            return cards.revise(
                caller=caller_for(who) if who is not None else caller_for("model_owner"),
                version=promotion.version,
                sections={**(card.sections if card else {}), **sections},
                seen=card.number if card else 0,
            )

    return act


def test_the_gate_names_the_sections_that_are_lacking_and_opens_when_they_come(opened, write):
    promotion = opened(card=False)
    gate = GateResult.objects.get(promotion=promotion)
    assert gate.state == "fails"
    assert gate.explanation == ("The card lacks the section “Limits” and the section “Evaluation”.")

    write(promotion, limits="At night.", evaluation="On March.")

    gate.refresh_from_db()
    assert gate.state == "passes"


def test_a_new_editor_becomes_an_author_and_signatures_are_void(
    opened, write, signer, approve, person
):
    promotion = opened()
    approve(signer("validator"), promotion)
    editor = person("model_owner", "risk_officer")
    round_before = promotion.round

    write(promotion, editor, limits="Also at dawn.")

    promotion.refresh_from_db()
    assert promotion.round == round_before + 1
    assert not Signature.objects.filter(promotion=promotion, round=promotion.round).exists()
    assert RequestAuthor.objects.filter(promotion=promotion, how="card_editor", user=editor)
    editor.set_password("a long password of words")
    editor.save()
    with pytest.raises(NotAllowed, match="card editor"):
        approve(editor, promotion)


def test_the_card_that_was_read_is_the_card_that_is_signed(opened, write, signer, approve):
    """Who wrote it before may write it again: then too it is another card."""
    promotion = opened()
    by = promotion.version.created_by
    write(promotion, by, limits="One.")
    promotion.refresh_from_db()
    approve(signer("validator"), promotion)
    signed = promotion.round

    newest = write(promotion, by, limits="Quite another.")

    promotion.refresh_from_db()
    assert promotion.round == signed + 1
    assert json.loads(promotion.content)["card"] == newest.digest


def test_a_request_without_a_card_names_none(opened):
    assert "card" not in json.loads(opened(card=False).content)


def test_a_decided_request_stays_as_it_was_signed(opened, write, signer, approve):
    promotion = opened()
    approve(signer("validator"), promotion)
    promotion = approve(signer("risk_officer"), promotion)
    content = promotion.content

    write(promotion, limits="Later.")

    promotion.refresh_from_db()
    assert (promotion.status, promotion.content) == ("approved", content)


@pytest.mark.parametrize(("tier", "state"), [(1, "fails"), (2, "passes")])
def test_a_higher_tier_asks_for_more(workspace, caller_for, tier, state):
    source = make.source(gates=GATES).replace("tier: 2", f"tier: {tier}")
    policies.create(caller=make.system(workspace), source=source)
    version = make.version(make.model(workspace, tier=tier), card=False)
    CardRevision.objects.create(
        version=version,
        number=1,
        sections={key: WHOLE[key] for key in ("limits", "evaluation")},
        digest="sha256:" + "0" * 64,
        edited_by=version.created_by,
    )

    promotion = promotions.open_request(
        caller=caller_for("requester"),
        version=version,
        environment=registry.get_environment(workspace, "production"),
    )

    assert GateResult.objects.get(promotion=promotion).state == state


def test_a_signer_finds_the_card_on_the_request(opened, client_for):
    promotion = opened()
    html = client_for("validator").get(f"/requests/{promotion.number}/").content.decode()
    assert f"/models/{promotion.model.name}/versions/{promotion.version.number}/card/" in html
