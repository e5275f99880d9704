"""Online learners: a snapshot becomes a version like any other; the fallback was approved once."""

from __future__ import annotations

import hashlib
import http.server
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.actions import Action
from common.errors import Conflict, Invalid, NotAllowed, NotFound
from delivery.models import Fallback, LearningPlan, Snapshot
from delivery.services import fallbacks, learning, snapshots
from jobs.services.run import run_until_idle
from outbound.errors import AddressRefused
from outbound.models import Message
from registry.models import Artifact, ModelVersion
from tests.factories import delivery as make

pytestmark = pytest.mark.django_db
SECRET = "a secret of sixteen or more"


class Learner:
    """Answers its state; ``status`` and ``state`` are the test's to set."""

    def __init__(self):
        outer = self
        self.status, self.state = 200, b"weights 1"

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.state)))
                self.end_headers()
                self.wfile.write(outer.state)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/state/weights.bin?key=hidden"


@pytest.fixture
def learner(settings):
    served = Learner()
    settings.OUTBOUND_ALLOW = f"127.0.0.1/32:{served.server.server_port}"
    yield served
    served.server.shutdown()
    served.server.server_close()


@pytest.fixture
def owner(caller_for):
    return caller_for("model_owner")


@pytest.fixture
def plan(route, versions, learner, owner):
    return learning.set_plan(caller=owner, model=route.model, every_seconds=3600, url=learner.url)


def take(plan):
    """What is due is asked for and done, as beat and a worker would."""
    LearningPlan.objects.filter(pk=plan.pk).update(next_at=timezone.now())
    assert learning.ask_due() == 1
    run_until_idle(max_s=20)
    return plan.snapshots.first()


def test_a_due_snapshot_becomes_a_version_derived_from_what_is_live(
    plan, route, versions, learner, owner, recorded_actions
):
    snapshot = take(plan)

    digits = hashlib.sha256(learner.state).hexdigest()
    version = snapshot.version
    assert (snapshot.state, snapshot.digest, snapshot.size) == ("registered", f"sha256:{digits}", 9)
    assert (version.number, version.derived_from, version.derivation) == (
        3,
        versions[0],
        "snapshot",
    )
    assert version.release["artifacts"] == [{"name": "weights.bin", "sha256": digits, "size": 9}]
    assert version.signature == versions[0].signature
    assert version.decision_threshold == versions[0].decision_threshold
    assert version.created_by == owner.user  # who set the plan answers for it, and cannot sign it
    assert Artifact.objects.get(sha256=digits).size == 9
    assert not version.aliases.exists()
    assert {Action.LEARNING_PLANNED, Action.SNAPSHOT_ASKED, Action.VERSION_REGISTERED} <= set(
        recorded_actions()
    )


def test_the_same_state_is_no_second_version(plan, learner):
    take(plan)
    again = take(plan)

    assert (again.state, again.version) == ("unchanged", None)
    assert ModelVersion.objects.count() == 3
    learner.state = b"weights 2"
    assert take(plan).version.number == 4


def test_what_fails_is_written_down_and_tried_when_next_due(plan, learner, settings):
    learner.status = 503
    assert (take(plan).state, plan.snapshots.first().reason) == ("failed", "It answered 503.")
    learner.status, learner.state = 200, b""
    assert take(plan).reason == "It answered with nothing."
    learner.state, settings.SNAPSHOT_MAX_BYTES = b"x" * 100, 50
    assert "larger than 50 bytes" in take(plan).reason
    settings.OUTBOUND_ALLOW = ""
    assert take(plan).state == "failed"
    assert ModelVersion.objects.count() == 2


def test_a_model_without_a_version_has_nothing_to_derive_from(workspace, learner, owner):
    model = make.RegisteredModelFactory(workspace=workspace)
    plan = learning.set_plan(caller=owner, model=model, every_seconds=60, url=learner.url)

    assert "no version yet" in take(plan).reason


def test_it_is_due_once_and_staleness_is_twice_the_plan(plan):
    assert learning.ask_due() == 1
    assert learning.ask_due() == 0
    assert not learning.age(plan).is_stale
    later = timezone.now() + timedelta(hours=3)
    assert learning.age(plan, later).is_stale
    run_until_idle(max_s=20)
    found = learning.age(plan)
    assert (found.is_stale, found.seconds < 60) == (False, True)
    assert learning.age(plan, later).is_stale


def test_one_that_nobody_answered_is_over_when_the_next_is_due(plan):
    first = Snapshot.objects.create(plan=plan)
    take(plan)

    first.refresh_from_db()
    assert (first.state, first.ended_at is not None) == ("failed", True)


def test_a_hook_is_told_signed_and_hands_its_snapshot_in(route, versions, learner, owner):
    plan = learning.set_plan(
        caller=owner,
        model=route.model,
        every_seconds=3600,
        url=learner.url,
        how="hook",
        secret=SECRET,
    )
    assert learning.ask_due() == 1
    message, asked = Message.objects.get(), plan.snapshots.get()
    assert (message.kind, message.subject) == ("webhook", "snapshot.due")
    assert str(asked.uid) in message.body
    assert SECRET not in message.body + message.sealed_secret + plan.sealed_secret

    done = snapshots.hand_in(
        caller=owner, model=route.model, sha256="ab" * 32, size=7, snapshot_uid=asked.uid
    )
    assert (done.state, done.version.derivation) == ("registered", "snapshot")
    with pytest.raises(Conflict, match="over"):
        snapshots.hand_in(
            caller=owner, model=route.model, sha256="cd" * 32, size=7, snapshot_uid=asked.uid
        )
    own = snapshots.hand_in(caller=owner, model=route.model, sha256="CD" * 32, size=7)
    assert own.version.release["artifacts"][0]["sha256"] == "cd" * 32


@pytest.mark.parametrize(
    "wrong",
    [
        {"every_seconds": 59},
        {"every_seconds": 10**9},
        {"how": "push"},
        {"how": "hook", "secret": "short"},
        {"url": "http://" + "x" * 2000},
    ],
)
def test_a_plan_that_cannot_be_is_refused(route, learner, owner, wrong):
    given = {"every_seconds": 3600, "url": learner.url, **wrong}
    with pytest.raises(Invalid):
        learning.set_plan(caller=owner, model=route.model, **given)
    assert not LearningPlan.objects.exists()


def test_only_what_may_be_dialled_is_planned_and_only_by_builders(
    route, owner, caller_for, learner
):
    with pytest.raises(AddressRefused):
        learning.set_plan(
            caller=owner, model=route.model, every_seconds=3600, url="http://169.254.169.254/x"
        )
    with pytest.raises(NotAllowed):
        learning.set_plan(
            caller=caller_for("viewer"), model=route.model, every_seconds=3600, url=learner.url
        )


def test_a_stopped_plan_asks_for_nothing_and_can_begin_again(plan, route, owner, learner):
    learning.stop(caller=owner, model=route.model)
    LearningPlan.objects.update(next_at=timezone.now())
    assert learning.ask_due() == 0
    with pytest.raises(NotFound):
        learning.ask_now(caller=owner, model=route.model)
    learning.set_plan(caller=owner, model=route.model, every_seconds=60, url=learner.url)
    assert learning.ask_due() == 1


def test_only_what_was_live_once_can_be_fallen_back_on(
    route, versions, caller_for, recorded_actions
):
    v1, v2 = versions
    operator = caller_for("operator")
    with pytest.raises(Conflict, match="nobody has approved") as refused:
        fallbacks.freeze(caller=operator, version=v2)
    assert refused.value.code == "never_approved"
    fallbacks.freeze(caller=operator, version=v1, reason="Steady.")
    assert Fallback.objects.get().version == v1
    assert recorded_actions() == [Action.FALLBACK_SET]
    fallbacks.clear(caller=operator, model=route.model)
    assert not Fallback.objects.exists()
    make.RecallFactory(version=v1)
    with pytest.raises(Conflict, match="called back"):
        fallbacks.freeze(caller=operator, version=v1)
    with pytest.raises(NotAllowed):
        fallbacks.freeze(caller=caller_for("requester"), version=v1)


def test_the_address_is_shown_without_what_may_be_a_key(api, plan, route):
    url = f"/api/v1/models/{route.model.name}"
    shown = api("viewer").get(f"{url}/learning").json()

    assert shown["url"].endswith("/state/weights.bin")
    assert "hidden" not in str(shown)
    asked = api("model_owner").post(f"{url}/snapshots", {}, format="json")
    assert (asked.status_code, asked.json()["state"]) == (202, "asked")
    for bad in ({"size": 5}, {"sha256": "x"}, {"sha256": "ab" * 32, "odd": 1}):
        assert api("model_owner").post(f"{url}/snapshots", bad, format="json").status_code == 400


def test_a_plan_whose_setter_left_says_so(plan, learner):
    plan.set_by.memberships.all().delete()
    taken = take(plan)

    assert (taken.state, "no longer" in taken.reason) == ("failed", True)
