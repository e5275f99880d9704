"""A protected alias that somebody tried to move: which promotion request they are told of."""

from __future__ import annotations

import pytest

from audit.actions import Action
from governance.authority import ApprovalAliasGuard
from governance.models import PromotionRequest
from governance.services import promotions
from registry import selectors as registry
from registry.models import ModelVersion
from tests.factories import governance as make
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


def ask(caller, version, name="champion"):
    return ApprovalAliasGuard().request_for(
        caller=caller, model=version.model, name=name, version=version
    )


def test_a_request_is_opened_as_the_caller(workspace, caller_for, settings):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    caller = caller_for("model_owner")

    found = ask(caller, version)

    promotion = PromotionRequest.objects.get()
    assert promotion.version == version
    assert promotion.requested_by == caller.user
    assert (found.label, found.status) == (f"REQ-{promotion.number}", "open")
    assert found.url == f"{settings.BASE_URL}/w/acme/requests/{promotion.number}/"
    assert Action.REQUEST_OPENED in recorded_actions()


def test_the_open_one_is_found_again_by_anybody(workspace, caller_for):
    promotion = make.promotion(workspace)

    found = ask(caller_for("viewer"), promotion.version)

    assert found.label == str(promotion)
    assert PromotionRequest.objects.count() == 1


def test_an_approval_that_stands_is_named_before_anything_is_opened(workspace, signer, approve):
    promotion = make.promotion(workspace)
    approve(signer("validator"), promotion)
    promotion = approve(signer("risk_officer"), promotion)

    found = ask(make.caller(promotion.requested_by, workspace), promotion.version)

    assert (found.label, found.status) == (str(promotion), "approved")


def test_a_request_for_another_version_is_not_this_moves_request(workspace, caller_for):
    promotion = make.promotion(workspace)
    other = make.version(promotion.model)

    assert ask(caller_for("model_owner"), other) is None
    assert PromotionRequest.objects.get() == promotion


@pytest.mark.parametrize("why", ["no policy", "no right", "no environment", "live already"])
def test_none_where_nobody_could_ask(workspace, caller_for, why):
    version = make.version(make.model(workspace))
    if why != "no policy":
        make.policy(workspace)
    if why == "live already":
        make.make_live(version)
    caller = caller_for("viewer" if why == "no right" else "model_owner")

    assert ask(caller, version, name="latest-good" if why == "no environment" else "champion") is (
        None
    )
    assert not PromotionRequest.objects.exists()


def test_what_was_refused_at_registration_is_not_promoted(workspace, caller_for):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    ModelVersion.objects.filter(pk=version.pk).update(
        status="FAILED_REGISTRATION", status_message="gate 'AUC' failed"
    )
    caller = caller_for("model_owner")

    assert ask(caller, version) is None
    with pytest.raises(promotions.Blocked, match=r"refused at registration\. gate 'AUC' failed"):
        promotions.open_request(
            caller=caller,
            version=version,
            environment=registry.get_environment(workspace, "production"),
        )
    assert not PromotionRequest.objects.exists()
    assert Action.REQUEST_OPENED not in recorded_actions()


def test_a_deleted_version_is_not_promoted(workspace, caller_for):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    ModelVersion.objects.filter(pk=version.pk).update(deleted_at="2026-01-01T00:00:00Z")

    assert ask(caller_for("model_owner"), version) is None
    assert not PromotionRequest.objects.exists()
