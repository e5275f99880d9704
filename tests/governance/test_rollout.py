"""An approval sets its rollout going, and what is live moves only by it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from audit.models import Event
from common.errors import InvalidTransition, NotAllowed
from delivery.models import Rollout
from delivery.ports import authority
from governance import rollout
from jobs.models import Job
from registry import selectors as registry
from registry.errors import ProtectedAlias
from registry.services import aliases
from tests.factories import governance as make
from tests.factories.delivery import RouteFactory

pytestmark = pytest.mark.django_db
PLAN = "rollout: {steps: [25%, 100%], min_answers: 50}\n"


@pytest.fixture
def promotion(workspace):
    model = make.model(workspace)
    live, mine = make.version(model), make.version(model)
    make.make_live(live)
    make.differential(mine, live)
    make.policy(workspace, extra=PLAN)
    return make.promotion(workspace, of=mine, gates_pass=True)


@pytest.fixture
def route(workspace, promotion):
    return RouteFactory(
        gateway__workspace=workspace,
        workspace=workspace,
        model=promotion.model,
        environment=promotion.environment,
    )


@pytest.fixture
def approved(promotion, signer, approve):
    def act():
        approve(signer("validator"), promotion)
        return approve(signer("risk_officer"), promotion)

    return act


def test_the_last_signature_starts_the_rollout(promotion, route, approved):
    promotion = approved()

    started = Rollout.objects.get()
    assert started.uid == promotion.rollout_uid
    assert (started.reference, started.route) == (promotion.reference, route)
    assert started.release_digest == promotion.release_digest
    assert [step.weight for step in started.steps.all()] == [25, 100]
    assert Job.objects.filter(kind="delivery.rollout").count() == 1
    assert rollout.find(promotion) == started


def test_without_a_route_the_approval_stands_and_says_why_nothing_starts(promotion, approved):
    promotion = approved()

    assert promotion.status == "approved"
    assert Rollout.objects.count() == 0
    assert "has no route in production" in Event.objects.get(action="request.approved").body


def test_a_busy_route_does_not_take_back_what_people_signed(
    workspace, promotion, route, approved, caller_for
):
    busy = Rollout.objects.create(
        workspace=workspace,
        route=route,
        reference="promotion:other",
        to_version=promotion.live_version,
        release_digest="sha256:x",
        plan={},
        started_by_pid="system:test",
    )

    promotion = approved()

    assert (promotion.status, promotion.rollout_uid) == ("approved", None)
    assert "The rollout did not start" in Event.objects.get(action="request.approved").body
    Rollout.objects.filter(pk=busy.pk).update(state="failed")
    with pytest.raises(NotAllowed):
        rollout.start_later(promotion, caller=caller_for("validator"))
    started = rollout.start_later(promotion, caller=caller_for("operator"))
    promotion.refresh_from_db()
    assert promotion.rollout_uid == started.uid


def test_nothing_starts_later_without_a_standing_approval(promotion, route, caller_for):
    with pytest.raises(InvalidTransition):
        rollout.start_later(promotion, caller=caller_for("operator"))

    assert Rollout.objects.count() == 0


def move(promotion, version, reference):
    return aliases.move(
        caller=make.system(promotion.workspace),
        model=promotion.model,
        name="champion",
        version=version,
        reference=reference,
    )


def set_state(promotion, state):
    Rollout.objects.filter(uid=promotion.rollout_uid).update(state=state)


def test_the_alias_follows_the_rollout_and_its_way_back(promotion, route, approved):
    promotion = approved()
    mine, live = promotion.version, promotion.live_version
    forth, back = f"rollout:{promotion.rollout_uid}", f"rollback:{promotion.rollout_uid}"
    other = make.version(promotion.model)

    for state, version, reference in (
        ("queued", mine, forth),
        ("paused", mine, forth),
        ("succeeded", mine, forth),
        ("running", other, forth),
        ("running", None, forth),
        ("running", mine, back),
        ("rolling_back", mine, forth),
        ("rolling_back", other, back),
    ):
        set_state(promotion, state)
        with pytest.raises(ProtectedAlias):
            move(promotion, version, reference)
    assert registry.live_version(promotion.model, "production") == live

    set_state(promotion, "running")
    move(promotion, mine, forth)
    assert registry.live_version(promotion.model, "production") == mine

    set_state(promotion, "rolling_back")
    move(promotion, live, back)
    assert registry.live_version(promotion.model, "production") == live


def test_a_withdrawn_approval_stops_its_rollout_at_the_pivot(
    promotion, route, approved, caller_for
):
    from governance.services import promotions

    promotion = approved()
    set_state(promotion, "running")
    promotions.withdraw(caller=caller_for("administrator"), promotion=promotion, reason="A bug.")

    answer = authority().why_not(
        reference=promotion.reference,
        release_digest=promotion.release_digest,
        environment="production",
    )

    assert answer == "REQ-1 is withdrawn."
    with pytest.raises(ProtectedAlias):
        move(promotion, promotion.version, f"rollout:{promotion.rollout_uid}")


def test_a_rollback_after_success_is_told_to_the_request(promotion, route, approved):
    promotion = approved()
    told = SimpleNamespace(uid=promotion.rollout_uid, reason="Complaints.", workings={})

    authority().conclude(reference=promotion.reference, outcome="succeeded", rollout=told)
    promotion.refresh_from_db()
    assert promotion.status == "carried_out"
    authority().conclude(reference=promotion.reference, outcome="rolled_back", rollout=told)

    promotion.refresh_from_db()
    assert (promotion.status, promotion.closed_reason) == ("rolled_back", "Complaints.")
