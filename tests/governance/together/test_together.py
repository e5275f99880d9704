"""A request with components: blocked until they may go too, carried out and rolled back as one."""

import pytest
from django.db import transaction
from django.utils import timezone

from audit.models import Event
from common.errors import InvalidTransition
from delivery.models import Rollout, RouteTarget
from delivery.ports import authority
from delivery.services import closing, companions, rollouts
from governance.models import PromotionRequest
from governance.services import promotions
from governance.services.clearance import clearance
from registry.errors import ProtectedAlias
from registry.models import Alias
from registry.services import aliases
from tests.factories import governance as make
from tests.factories.delivery import RolloutFactory, RouteTargetFactory
from tests.factories.registry_lineage import calling

pytestmark = pytest.mark.django_db


def gate(promotion):
    return promotion.gates.get(title="Everything it calls is live, or goes along")


def system(world):
    return make.system(world.workspace)


def approved_both(world):
    world.sign(world.ask(world.score2))
    return world.sign(world.ask(world.parent2))


def finish(rollout, world):
    with transaction.atomic():
        closing.succeed(rollout, caller=system(world))
    rollout.refresh_from_db()
    return rollout


def take_back(rollout, world):
    rollouts.rollback(caller=system(world), uid=rollout.uid, reason="Complaints.")
    rollout.refresh_from_db()
    with transaction.atomic():
        closing.roll_back(rollout, caller=system(world))


def end(*models):
    Alias.objects.filter(model__in=models, ended_at=None).update(ended_at=timezone.now())


# The request


def test_a_request_is_blocked_while_a_component_may_not_go(world):
    promotion = world.ask(world.parent2)

    row = gate(promotion)
    assert (row.state, row.blocks) == ("fails", True)
    assert row.explanation == "score 2 is neither live nor approved; version 1 is live."
    assert row.remedy == "Ask to promote score 2 to production."
    assert clearance(promotion, promotion.release_digest).state == "blocked"


def test_it_waits_for_the_components_request_and_passes_when_that_is_approved(
    world, django_capture_on_commit_callbacks
):
    promotion = world.ask(world.parent2)
    with django_capture_on_commit_callbacks(execute=True):
        other = world.ask(world.score2)
    promotions.refresh_gates(promotion)
    row = gate(promotion)
    assert (row.state, row.explanation) == (
        "waiting",
        f"score 2 waits for {other}; version 1 is live.",
    )

    with django_capture_on_commit_callbacks(execute=True):
        world.sign(other)

    # Nobody asked: the closing of the other request did.
    row = gate(promotion)
    assert row.state == "passes"
    assert row.explanation == f"score 2 is approved ({other}) and goes along."


def test_a_component_that_is_live_is_all_it_takes(world):
    end(world.parent1.model)
    make.make_live(world.score2)

    promotion = world.ask(world.parent2)

    assert gate(promotion).state == "passes"
    assert gate(promotion).explanation == "score 2 is live."


def test_a_request_without_components_has_no_such_condition(world):
    promotion = world.ask(make.version(make.model(world.workspace)))

    assert not promotion.gates.filter(metric="components").exists()


def test_who_goes_along_is_told_at_the_components_own_request(world):
    promotion = world.ask(world.score2)

    row = promotion.gates.get(metric="components")
    assert (row.state, row.blocks) == ("fails", False)
    assert row.explanation == "parent 1 is live in production and depends on exactly score 1."
    assert row.remedy == "Promote a version of parent that calls score 2: they go together."


def test_what_would_leave_a_third_behind_blocks(world):
    third = make.model(world.workspace, name="third")
    make.make_live(calling(third, world.score1))
    world.sign(world.ask(world.score2))

    promotion = world.ask(world.parent2)

    row = promotion.gates.get(name="depended on by third 1")
    assert row.blocks
    refusal = authority().why_not(
        reference=promotion.reference, release_digest=promotion.release_digest, environment="x"
    )
    assert refusal is not None


# Alone


def test_a_components_own_rollout_is_refused_with_the_parents_name(world):
    route = world.route(world.score1)
    promotion = world.sign(world.ask(world.score2))

    assert Rollout.objects.count() == 0  # it did not even start by itself
    assert "parent 1 is live in production" in Event.objects.get(action="request.approved").body
    refusal = authority().why_not(
        reference=promotion.reference,
        release_digest=promotion.release_digest,
        environment="production",
    )
    assert "parent 1 is live there and depends on exactly score 1" in refusal
    rollout = finish(world.rollout(promotion, route), world)
    assert rollout.state == "rolling_back"
    assert "parent 1" in rollout.reason
    assert world.live() == (1, 1)


def test_a_parents_reference_does_not_move_a_component_by_itself(world):
    promotion = approved_both(world)
    rollout = world.rollout(promotion, world.route(world.parent1))

    for reference in (promotion.reference, f"rollout:{rollout.uid}"):
        with pytest.raises(ProtectedAlias):
            aliases.move(
                caller=system(world),
                model=world.score1.model,
                name="champion",
                version=world.score2,
                reference=reference,
            )
    assert world.live() == (1, 1)


# Together


def test_the_end_of_a_rollout_moves_both_and_uses_both_approvals_up(world):
    promotion = approved_both(world)
    rollout = finish(world.rollout(promotion, world.route(world.parent1)), world)

    assert (rollout.state, world.live()) == ("succeeded", (2, 2))
    assert set(PromotionRequest.objects.values_list("status", flat=True)) == {"carried_out"}
    moved = Alias.objects.filter(ended_at=None).values_list("reference", flat=True)
    assert set(moved) == {f"rollout:{rollout.uid}"}
    assert rollout.workings["along"] == [
        {
            "model": world.score1.model_id,
            "from": world.score1.pk,
            "to": world.score2.pk,
        }
    ]


def test_a_withdrawn_component_keeps_both_where_they_are(world):
    promotion = approved_both(world)
    other = PromotionRequest.objects.get(version=world.score2)
    promotions.withdraw(caller=system(world), promotion=other, reason="A doubt.")

    refusal = authority().why_not(
        reference=promotion.reference,
        release_digest=promotion.release_digest,
        environment="production",
    )
    assert "parent 2 calls score 2" in refusal
    rollout = finish(world.rollout(promotion, world.route(world.parent1)), world)
    assert (rollout.state, world.live()) == ("rolling_back", (1, 1))


def test_a_rollback_brings_all_back(world):
    promotion = approved_both(world)
    rollout = finish(world.rollout(promotion, world.route(world.parent1)), world)

    take_back(rollout, world)

    assert (rollout.state, world.live()) == ("rolled_back", (1, 1))
    assert set(PromotionRequest.objects.values_list("status", flat=True)) == {"rolled_back"}


def test_a_component_that_was_not_live_before_is_live_nowhere_after_a_rollback(world):
    end(world.score1.model, world.parent1.model)
    plain = make.version(world.parent1.model)
    make.make_live(plain)
    promotion = approved_both(world)
    rollout = finish(world.rollout(promotion, world.route(world.parent1)), world)
    assert world.live() == (2, 2)

    take_back(rollout, world)

    assert world.live() == (plain.number, None)


def test_there_is_no_way_back_to_a_version_whose_component_has_gone(world):
    plain = make.version(world.parent1.model)
    promotion = world.sign(world.ask(plain))
    rollout = finish(world.rollout(promotion, world.route(world.parent1)), world)
    alone = world.sign(world.ask(world.score2))
    finish(world.rollout(alone, world.route(world.score1)), world)
    assert world.live() == (plain.number, 2)

    with pytest.raises(InvalidTransition, match="parent 1 calls score 1"):
        rollouts.rollback(caller=system(world), uid=rollout.uid, reason="Complaints.")


# Traffic


def test_the_components_traffic_moves_with_its_alias_and_comes_back(world):
    promotion = approved_both(world)
    route = world.route(world.score1)
    stable = RouteTargetFactory(route=route, version=world.score1)
    candidate = RouteTargetFactory(route=route, version=world.score2, weight=0)

    def weights():
        return dict(RouteTarget.objects.filter(route=route).values_list("pk", "weight"))

    rollout = finish(world.rollout(promotion, world.route(world.parent1)), world)
    assert weights() == {stable.pk: 0, candidate.pk: 100}

    companions.bring_back(rollout)
    assert weights() == {stable.pk: 100, candidate.pk: 0}


def test_it_waits_while_another_rollout_holds_the_components_route(world):
    promotion = approved_both(world)
    route = world.route(world.score1)
    RouteTargetFactory(route=route, version=world.score1)
    RouteTargetFactory(route=route, version=world.score2, weight=0)
    other = RolloutFactory(route=route, to_version=world.score2, state="running")

    rollout = finish(world.rollout(promotion, world.route(world.parent1)), world)
    assert rollout.state == "paused"
    assert "holds the route" in rollout.reason
    assert world.live() == (1, 1)

    Rollout.objects.filter(pk=other.pk).update(state="failed")
    Rollout.objects.filter(pk=rollout.pk).update(state="running")
    rollout.refresh_from_db()
    assert finish(rollout, world).state == "succeeded"
    assert world.live() == (2, 2)


def test_a_gateway_that_says_otherwise_stops_both(world):
    promotion = approved_both(world)
    route = world.route(world.score1)
    RouteTargetFactory(route=route, version=world.score1, weight=50)

    rollout = finish(world.rollout(promotion, world.route(world.parent1)), world)

    assert (rollout.state, world.live()) == ("rolling_back", (1, 1))
    assert "disagree" in rollout.reason


def test_the_requests_page_says_who_goes_along(world, client_for):
    other = world.ask(world.score2)
    world.sign(other)
    promotion = world.ask(world.parent2)

    page = client_for("validator").get(f"/requests/{promotion.number}/").content.decode()

    assert "Everything it calls is live, or goes along" in page
    alone = client_for("validator").get(f"/requests/{other.number}/").content.decode()
    assert "parent 1 depends on score 1" in alone
