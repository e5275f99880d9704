"""Clearance: 200 for exactly one digest of an approved, unexpired request; else why not."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from governance.models import PromotionRequest
from governance.services import promotions, waiting
from governance.services.clearance import clearance
from governance.services.waiting import NoSeat, wait_for
from tests.factories import governance as make

pytestmark = pytest.mark.django_db
OTHER = "sha256:" + "0" * 64


@pytest.fixture
def approved(workspace, signer, approve):
    promotion = make.promotion(workspace)
    approve(signer("validator"), promotion)
    return approve(signer("risk_officer"), promotion)


def answer(promotion, digest=None, **kwargs):
    promotion.refresh_from_db()
    found = clearance(promotion, promotion.release_digest if digest is None else digest, **kwargs)
    return found.state.value, [reason.code for reason in found.reasons]


def test_open_waits_for_signatures_by_name(workspace, signer):
    signer("validator", name="Ada Rahman")
    promotion = make.promotion(workspace)

    assert answer(promotion) == ("waiting", ["signature_missing", "signature_missing"])
    reasons = clearance(promotion, promotion.release_digest).reasons
    assert reasons[0].message == "Validator: 1 missing (Ada Rahman)."
    assert "nobody who may" in reasons[1].message


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ("waiting", ("waiting", ["gate_waiting", "signature_missing", "signature_missing"])),
        ("running", ("waiting", ["gate_waiting", "signature_missing", "signature_missing"])),
        ("failed", ("blocked", ["gate_could_not_compute"])),
    ],
)
def test_open_by_the_state_of_its_evidence(workspace, state, wanted):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    make.evidence(version, "evaluation", None, state=state)

    assert answer(make.promotion(workspace, of=version, gates_pass=False)) == wanted


def test_a_failing_gate_blocks(workspace):
    promotion = make.promotion(workspace, gates=("auc >= 0.9",))

    assert answer(promotion) == ("blocked", ["gate_fails"])


def test_an_unmapped_author_blocks(workspace):
    from tests.factories.registry import VersionAuthorFactory

    make.policy(workspace)
    version = make.version(make.model(workspace))
    VersionAuthorFactory(version=version, user=None, identity="x@y.example")

    assert answer(make.promotion(workspace, of=version)) == ("blocked", ["gate_fails"])


def test_approved_is_cleared_for_exactly_its_release(approved):
    assert answer(approved) == ("cleared", [])
    for wrong in (OTHER, "", approved.digest, approved.release_digest.upper()):
        assert answer(approved, wrong) == ("blocked", ["digest_mismatch"])


def test_an_approval_ends_by_itself(approved):
    later = approved.valid_until + timedelta(seconds=1)

    assert answer(approved, now=later) == ("blocked", ["expired"])
    assert answer(approved, now=approved.valid_until) == ("blocked", ["expired"])
    assert answer(approved, now=approved.valid_until - timedelta(seconds=1)) == ("cleared", [])


def test_an_open_request_that_lapsed_is_blocked(workspace):
    promotion = make.promotion(workspace)
    PromotionRequest.objects.update(valid_until=timezone.now())

    assert answer(promotion) == ("blocked", ["expired"])


def test_withdrawn_is_blocked_even_after_approval(approved, caller_for):
    promotions.withdraw(
        caller=caller_for("administrator"), promotion=approved, reason="A bug was found."
    )

    assert answer(approved) == ("blocked", ["withdrawn"])
    assert "A bug was found." in clearance(approved, approved.release_digest).reasons[0].message


def test_rejected_is_blocked(workspace, signer, reject):
    promotion = reject(signer("validator"), make.promotion(workspace))

    assert answer(promotion) == ("blocked", ["rejected"])


# --- Waiting ----------------------------------------------------------------------------------


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, while_asleep=lambda: None):
        self.now = 0.0
        self.while_asleep = while_asleep

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.while_asleep()


def test_waiting_ends_when_it_is_decided(workspace, signer, reject):
    promotion = make.promotion(workspace)
    ada = signer("validator")
    clock = Clock()
    clock.while_asleep = lambda: clock.now >= 2 and promotion.is_open and reject(ada, promotion)

    found = wait_for(promotion, promotion.release_digest, wait_s=60, sleep=clock.sleep, clock=clock)

    assert found.state == "blocked"
    assert clock.now == 2


def test_waiting_ends_with_the_time(workspace):
    promotion = make.promotion(workspace)
    clock = Clock()

    found = wait_for(promotion, promotion.release_digest, wait_s=3, sleep=clock.sleep, clock=clock)

    assert (found.state, clock.now) == ("waiting", 3)


def test_what_is_final_does_not_wait(workspace, approved):
    clock = Clock()

    assert (
        wait_for(approved, approved.release_digest, wait_s=60, sleep=clock.sleep, clock=clock).state
        == "cleared"
    )
    assert clock.now == 0


def test_only_so_many_wait_and_seats_are_given_back(workspace, monkeypatch):
    monkeypatch.setattr(waiting, "_seats", threading.BoundedSemaphore(1))
    promotion = make.promotion(workspace)
    tried = []

    def second():
        if not tried:
            with pytest.raises(NoSeat):
                wait_for(promotion, promotion.release_digest, wait_s=1)
            tried.append(True)

    clock = Clock(second)
    for _ in range(2):
        wait_for(promotion, promotion.release_digest, wait_s=1, sleep=clock.sleep, clock=clock)

    assert tried


def test_a_quarter_of_the_threads_may_wait(settings):
    assert waiting._seats._initial_value == settings.WEB_THREADS // 4
