"""Requests: opened, looked at again, withdrawn, lapsed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import Event
from common.errors import AlreadyExists, Conflict, InvalidTransition, NotAllowed
from governance import content as contents
from governance.models import PromotionRequest
from governance.services import policies, promotions
from outbound.models import Message
from registry import selectors as registry
from tests.factories import governance as make
from tests.factories.accounts import ServiceAccountFactory
from tests.factories.registry import VersionAuthorFactory

pytestmark = pytest.mark.django_db


def states(promotion):
    return {gate.name: gate.state for gate in promotion.gates.all()}


def open_for(version, caller):
    return promotions.open_request(
        caller=caller,
        version=version,
        environment=registry.get_environment(version.model.workspace, "production"),
    )


def test_open_freezes_policy_evidence_and_authors(workspace, caller_for, recorded_actions):
    promotion = make.promotion(workspace)

    body = json.loads(promotion.content)
    assert body["release"] == promotion.version.release_digest
    assert body["policy"] == promotion.policy_revision.digest
    assert body["evidence"] == [promotion.version.evidence.get().digest]
    assert promotion.digest == contents.digest(promotion.content)
    assert set(body["authors"]) == {promotion.requested_by.pid, promotion.version.created_by.pid}
    assert (promotion.number, promotion.round, promotion.status) == (1, 1, "open")
    assert states(promotion) == dict.fromkeys(make.GATES, "passes")
    assert recorded_actions()[-2:] == ["request.opened", "request.gates_evaluated"]


def test_a_later_revision_does_not_touch_it(workspace, caller_for):
    promotion = make.promotion(workspace)
    digest = promotion.digest

    policies.revise(
        caller=caller_for("risk_officer"),
        policy=promotion.policy_revision.policy,
        source=make.source(gates=("auc >= 0.99",)),
    )
    promotion = promotions.refresh_gates(promotion)

    assert promotion.policy_revision.number == 1
    assert promotion.digest == digest


def test_open_without_a_policy_is_refused(workspace, caller_for, recorded_actions):
    version = make.version(make.model(workspace))

    with pytest.raises(policies.NoPolicy, match="No policy is for tier 2"):
        open_for(version, caller_for("requester"))

    assert PromotionRequest.objects.count() == 0
    assert recorded_actions() == []


def test_one_request_at_a_time(workspace, caller_for):
    promotion = make.promotion(workspace)
    other = make.version(promotion.model)

    with pytest.raises(AlreadyExists) as caught:
        open_for(other, caller_for("requester"))

    assert caught.value.extra["request"] == str(promotion.uid)
    assert PromotionRequest.objects.count() == 1


def test_what_is_live_is_not_asked_for(workspace, caller_for):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    make.make_live(version)

    with pytest.raises(Conflict) as caught:
        open_for(version, caller_for("requester"))

    assert caught.value.code == "already_live"


def test_open_needs_the_role_and_the_workspace(workspace, caller_for):
    from tests.factories.accounts import WorkspaceFactory

    make.policy(workspace)
    version = make.version(make.model(workspace))

    with pytest.raises(NotAllowed):
        open_for(version, caller_for("validator"))
    elsewhere = make.version(make.model(WorkspaceFactory()))
    with pytest.raises(NotAllowed):
        promotions.open_request(
            caller=caller_for("requester"),
            version=elsewhere,
            environment=registry.get_environment(workspace, "production"),
        )


def test_without_an_endpoint_the_gate_says_what_is_missing(workspace):
    promotion = make.promotion(workspace, gates_pass=False)
    make.dataset(workspace)
    promotion = promotions.refresh_gates(promotion)

    gate = promotion.gates.get(position=0)
    assert gate.state == "could_not_compute"
    assert "has no endpoint, and no predictions were uploaded" in gate.explanation
    assert gate.remedy.startswith("Register an endpoint for version 1")
    assert promotion.signable_since is None
    assert not Message.objects.filter(purpose="request.signable").exists()


def test_without_the_dataset_the_gate_says_so(workspace):
    promotion = make.promotion(workspace, gates_pass=False)

    assert "there is no dataset “holdout”" in promotion.gates.get(position=0).explanation


def test_reported_figures_do_not_count(workspace):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    make.evaluation(version, auc=0.99, origin="reported")

    promotion = make.promotion(workspace, of=version, gates_pass=False)

    assert promotion.gates.get(position=0).state == "could_not_compute"


def test_approvers_are_told_once_when_it_can_be_signed(workspace, person):
    ada, ben = person("validator", name="Ada"), person("risk_officer", name="Ben")
    person("viewer")

    promotion = make.promotion(workspace)
    promotions.refresh_gates(promotion)

    sent = Message.objects.filter(purpose="request.signable")
    assert sorted(message.to for message in sent) == sorted([[ada.email], [ben.email]])
    assert f"/w/acme/requests/{promotion.number}/" in sent[0].body
    assert "&" not in sent[0].subject


def test_new_evidence_begins_a_new_round_and_voids_signatures(workspace, signer, approve):
    ada = signer("validator")
    promotion = make.promotion(workspace)
    approve(ada, promotion)

    make.evaluation(promotion.version, auc=0.71)
    promotion = promotions.refresh_gates(promotion)

    assert promotion.round == 2
    assert promotion.signatures.get().round == 1
    assert Message.objects.get(purpose="request.signature_void").to == [ada.email]
    event = Event.objects.filter(action="request.gates_evaluated").order_by("-pk").first()
    assert str(promotion.signatures.get().uid) in event.body


def test_the_same_facts_change_nothing(workspace, recorded_actions):
    promotion = make.promotion(workspace)
    before = recorded_actions()

    again = promotions.refresh_gates(promotion)

    assert (again.digest, again.round) == (promotion.digest, 1)
    assert recorded_actions() == before


def test_a_new_live_version_makes_the_old_comparison_worthless(workspace):
    make.policy(workspace, gates=("auc - live.auc >= -0.01",))
    model = make.model(workspace)
    live, other, mine = (make.version(model) for _ in range(3))
    make.make_live(live)
    make.differential(mine, live)
    promotion = make.promotion(workspace, of=mine)
    assert states(promotion) == {"auc - live.auc >= -0.01": "passes"}

    make.make_live(other)
    promotion = promotions.refresh_gates(promotion)

    assert states(promotion) == {"auc - live.auc >= -0.01": "could_not_compute"}
    assert (promotion.live_version, promotion.round) == (other, 2)


def test_a_version_that_went_live_by_another_way_ends_the_request(workspace, recorded_actions):
    promotion = make.promotion(workspace)
    make.make_live(promotion.version)

    promotion = promotions.refresh_gates(promotion)

    assert promotion.status == "invalidated"
    assert recorded_actions()[-1] == "request.invalidated"


# --- Authors ----------------------------------------------------------------------------------


def test_everybody_who_shaped_it_is_an_author(workspace, person, caller_for):
    from registry.services import models, versions

    make.policy(workspace)
    model = make.model(workspace)
    git, editor, tagger = person("viewer"), person("model_owner"), person("model_owner")
    version = make.version(model)
    VersionAuthorFactory(version=version, user=git)
    models.update(caller=caller_for(editor), model=model, purpose="Another purpose.")
    versions.annotate(caller=caller_for(tagger), version=version, description="Better words.")
    requester = person("requester")

    promotion = make.promotion(workspace, of=version, by=requester)

    assert {row.user for row in promotion.authors.all()} == {
        requester,
        version.created_by,
        git,
        editor,
        tagger,
    }


def test_the_person_behind_a_service_account_is_the_author(workspace, person, caller_for):
    from dataclasses import replace

    make.policy(workspace)
    jun = person("viewer")
    service = ServiceAccountFactory(workspace=workspace, responsible=jun, roles=["requester"])
    caller = replace(caller_for(jun), service_account=service, roles=frozenset({"requester"}))

    promotion = open_for(make.version(make.model(workspace)), caller)

    assert (promotion.requested_by, promotion.requested_through) == (jun, service)
    assert promotion.authors.filter(user=jun, how="requested").exists()


def test_an_unmapped_author_blocks_until_somebody_says_who_it_is(workspace, person, caller_for):
    from registry.services import versions

    make.policy(workspace)
    version = make.version(make.model(workspace))
    VersionAuthorFactory(version=version, user=None, identity="mai@old.example")
    promotion = make.promotion(workspace, of=version)
    gate = promotion.gates.get(metric="author")
    assert (gate.state, gate.severity) == ("fails", "block")
    assert "mai@old.example maps to no person" in gate.explanation
    assert "mai@old.example" not in Event.objects.order_by("-pk")[0].body

    versions.map_author(
        caller=caller_for("administrator"),
        version=version,
        identity="mai@old.example",
        user=(mai := person("validator")),
    )
    promotion = promotions.refresh_gates(promotion)

    assert not promotion.gates.filter(metric="author").exists()
    assert promotion.authors.filter(user=mai).exists()
    assert promotion.round == 2


def test_who_joins_later_under_an_authors_address_is_that_author(workspace, person):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    VersionAuthorFactory(version=version, user=None, identity="Mai@Example.org")
    promotion = make.promotion(workspace, of=version)

    mai = person("validator", email="mai@example.org")
    promotion = promotions.refresh_gates(promotion)

    assert promotion.authors.filter(user=mai).exists()


def test_once_an_author_always_an_author(workspace, person, caller_for):
    from registry.services import models

    make.policy(workspace)
    model = make.model(workspace)
    first, second = person("model_owner"), person("model_owner")
    models.update(caller=caller_for(first), model=model, purpose="One.")
    promotion = make.promotion(workspace, of=make.version(model))

    models.update(caller=caller_for(second), model=model, purpose="Number two.")
    promotion = promotions.refresh_gates(promotion)

    assert {first, second} <= {row.user for row in promotion.authors.all()}
    assert first.pid in json.loads(promotion.content)["authors"]


# --- The end ----------------------------------------------------------------------------------


def test_who_asked_withdraws(workspace, person, caller_for, recorded_actions):
    jun = person("requester")
    promotion = make.promotion(workspace, by=jun)

    promotion = promotions.withdraw(caller=caller_for(jun), promotion=promotion, reason="Wrong one")

    assert (promotion.status, promotion.closed_reason) == ("withdrawn", "Wrong one")
    assert recorded_actions()[-1] == "request.withdrawn"
    with pytest.raises(InvalidTransition):
        promotions.withdraw(caller=caller_for(jun), promotion=promotion, reason="again")


def test_another_requester_does_not(workspace, caller_for):
    promotion = make.promotion(workspace)

    with pytest.raises(NotAllowed) as caught:
        promotions.withdraw(caller=caller_for("requester"), promotion=promotion, reason="")

    assert caught.value.code == "not_yours"
    promotion.refresh_from_db()
    assert promotion.status == "open"
    promotions.withdraw(caller=caller_for("administrator"), promotion=promotion, reason="")


def test_what_is_past_its_validity_lapses(workspace, recorded_actions):
    promotion = make.promotion(workspace)
    assert promotions.expire_due() == 0

    PromotionRequest.objects.update(valid_until=timezone.now() - timedelta(seconds=1))

    assert promotions.expire_due() == 1
    assert promotions.expire_due() == 0
    promotion.refresh_from_db()
    assert promotion.status == "expired"
    assert recorded_actions()[-1] == "request.expired"


def test_a_lost_announcement_is_made_good(workspace):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    evidence = make.evidence(version, "evaluation", None, state="running")
    promotion = make.promotion(workspace, of=version, gates_pass=False)
    assert promotions.refresh_stale() == 0

    evidence.state, evidence.error, evidence.error_code = "failed", "timed out", "timeout"
    evidence.save()

    assert promotions.refresh_stale() == 1
    assert promotions.refresh_stale() == 0
    assert promotion.gates.get(position=0).state == "could_not_compute"


@pytest.mark.parametrize(
    ("state", "shown", "severity", "is_signable"),
    [
        ("running", "waiting", "block", False),
        ("complete", "passes", "warn", True),
        ("failed", "could_not_compute", "warn", True),
    ],
)
def test_a_comparison_under_way_is_waited_for_though_no_gate_asks(
    workspace, state, shown, severity, is_signable
):
    make.policy(workspace)
    model = make.model(workspace)
    live, mine = make.version(model), make.version(model)
    make.make_live(live)
    make.evidence(mine, "differential", {"rows": 3}, baseline=live, state=state)

    promotion = make.promotion(workspace, of=mine)

    gate = promotion.gates.get(metric="comparison")
    assert (gate.state, gate.severity) == (shown, severity)
    assert (promotion.signable_since is not None) is is_signable
