"""Policies: written, revised, found."""

from __future__ import annotations

import pytest

from common.errors import AlreadyExists, Conflict, Invalid, NotAllowed, NotFound
from governance.models import Policy, PolicyRevision
from governance.services import policies
from registry import selectors as registry
from tests.factories import governance as make

pytestmark = pytest.mark.django_db


def test_create_writes_the_first_revision(workspace, caller_for, recorded_actions):
    policy = policies.create(caller=caller_for("risk_officer"), source=make.source())

    revision = policy.revisions.get()
    assert (revision.number, revision.tiers, revision.environment) == (1, [2], "production")
    assert revision.digest.startswith("sha256:")
    assert recorded_actions() == ["policy.created"]


def test_create_says_every_problem_and_writes_nothing(workspace, caller_for, recorded_actions):
    with pytest.raises(Invalid) as caught:
        policies.create(caller=caller_for("risk_officer"), source="policy: x\n")

    assert caught.value.code == "invalid_policy"
    assert len(caught.value.fields["source"]) >= 3
    assert Policy.objects.count() == 0
    assert recorded_actions() == []


def test_create_needs_the_role(workspace, caller_for):
    with pytest.raises(NotAllowed):
        policies.create(caller=caller_for("requester"), source=make.source())


def test_create_needs_an_environment_that_is_there(workspace, caller_for):
    text = make.source().replace("environment: production", "environment: moon")

    with pytest.raises(NotFound, match="moon"):
        policies.create(caller=caller_for("risk_officer"), source=text)


def test_a_name_is_taken_once(workspace, caller_for):
    make.policy(workspace)
    text = make.source().replace("tier: 2", "tier: 1")

    with pytest.raises(AlreadyExists, match="tier-2"):
        policies.create(caller=caller_for("risk_officer"), source=text)


def test_two_policies_are_never_for_the_same(workspace, caller_for):
    make.policy(workspace)

    with pytest.raises(AlreadyExists) as caught:
        policies.create(caller=caller_for("risk_officer"), source=make.source(name="other"))

    assert caught.value.code == "policy_overlaps"
    assert Policy.objects.count() == 1


def test_revise_keeps_the_revision_before(workspace, caller_for, recorded_actions):
    policy = make.policy(workspace)

    revision = policies.revise(
        caller=caller_for("risk_officer"),
        policy=policy,
        seen_revision=1,
        source=make.source(gates=("auc >= 0.9",)),
    )

    assert revision.number == 2
    assert PolicyRevision.objects.filter(policy=policy).count() == 2
    assert recorded_actions() == ["policy.created", "policy.revised"]


def test_revise_refuses_what_was_written_on_an_older_one(workspace, caller_for):
    policy = make.policy(workspace)
    caller = caller_for("risk_officer")
    policies.revise(caller=caller, policy=policy, source=make.source(gates=("auc >= 0.9",)))

    with pytest.raises(Conflict) as caught:
        policies.revise(
            caller=caller,
            policy=policy,
            seen_revision=1,
            source=make.source(gates=("auc >= 0.8",)),
        )

    assert caught.value.code == "revision_changed"
    assert policy.revisions.count() == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [(make.source(), "unchanged"), (make.source(name="other"), "invalid")],
)
def test_revise_refuses_nothing_new_and_another_name(workspace, caller_for, text, code):
    policy = make.policy(workspace)

    with pytest.raises((Conflict, Invalid)) as caught:
        policies.revise(caller=caller_for("risk_officer"), policy=policy, source=text)

    assert caught.value.code == code


def test_find_takes_the_newest_revision_for_tier_and_kind(workspace, caller_for):
    policy = make.policy(workspace)
    policies.revise(
        caller=caller_for("risk_officer"), policy=policy, source=make.source(gates=("auc >= 0.9",))
    )
    production = registry.get_environment(workspace, "production")

    assert policies.find(make.model(workspace), production).number == 2
    for other in ({"tier": 1}, {"kind": "regression"}):
        with pytest.raises(policies.NoPolicy):
            policies.find(make.model(workspace, **other), production)
    with pytest.raises(policies.NoPolicy):
        policies.find(make.model(workspace), registry.get_environment(workspace, "staging"))
