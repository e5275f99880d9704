"""Receipts of batch runs: judged by what was live when the run began, and kept either way."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.actions import Action
from common.errors import Conflict, Invalid, NotAllowed
from delivery.models import BatchReceipt, Route
from delivery.services import receipts
from delivery.signals import receipt_mismatched
from governance.models import Finding
from tests.factories import delivery as make
from tests.factories.registry import ModelVersionFactory

pytestmark = pytest.mark.django_db
UNKNOWN = "sha256:" + "9" * 64


@pytest.fixture
def told():
    """What was told upwards."""
    heard = []

    def hear(sender, receipt, **_):
        heard.append(receipt.run_id)

    receipt_mismatched.connect(hear, weak=False)
    yield heard
    receipt_mismatched.disconnect(hear)


@pytest.fixture
def send(route, caller_for, django_capture_on_commit_callbacks):
    """``send(version, hours=5)``: a run that began five hours ago and took one."""
    now = timezone.now()

    def act(version=None, hours=5.0, run_id="run-1", **said):
        begun = now - timedelta(hours=hours)
        run = receipts.Run(
            run_id=run_id,
            rows=100,
            started_at=begun,
            finished_at=begun + timedelta(hours=1),
            **({"digest": version.release_digest} if version is not None else {}),
            **said,
        )
        with django_capture_on_commit_callbacks(execute=True):
            receipt, _ = receipts.receive(
                caller=caller_for("operator"),
                model=route.model,
                environment=route.environment,
                run=run,
            )
        return receipt

    return act


def test_a_run_that_used_what_was_live_is_accepted(send, versions, told, recorded_actions):
    receipt = send(versions[0])

    assert (receipt.state, receipt.version, receipt.expected) == (
        "accepted",
        versions[0],
        versions[0],
    )
    assert receipt.reason == "It used version 1, which was live in production when it began."
    assert recorded_actions() == [Action.RECEIPT_ACCEPTED]
    assert told == []
    assert not Finding.objects.exists()


def test_a_run_may_go_on_with_what_it_read_for_a_lease(send, versions, go_live):
    v1, v2 = versions
    go_live(v2, hours=20)

    assert send(v1, hours=10).state == "accepted"
    assert "within the lease" in BatchReceipt.objects.get().reason
    assert send(v2, hours=10, run_id="new").state == "accepted"


def test_a_run_that_used_what_was_replaced_longer_ago_than_the_lease(
    send, route, versions, go_live, told, recorded_actions
):
    v1, v2 = versions
    go_live(v2, hours=20)
    Route.objects.filter(pk=route.pk).update(lease_seconds=3600)
    receipt = send(v1, hours=10)

    assert (receipt.state, receipt.expected) == ("mismatch", v2)
    assert receipt.reason == (
        "It used version 1, but version 2 was live in production when it began."
    )
    assert recorded_actions()[0] == Action.RECEIPT_REFUSED
    assert told == ["run-1"]


def test_it_is_judged_by_that_time_not_by_now(send, versions, go_live):
    v1, v2 = versions
    go_live(v2, hours=1)

    assert send(v1, hours=48).state == "accepted"
    assert send(v2, hours=48, run_id="early").state == "mismatch"


def test_what_was_rolled_back_is_covered_by_no_lease(send, versions, go_live):
    v1, v2 = versions
    go_live(v2, hours=20)
    go_live(v1, hours=12, reference="rollback:x")
    receipt = send(v2, hours=10)

    assert receipt.state == "mismatch"
    assert "rolled back" in receipt.reason


def test_what_is_called_back_may_not_be_run(send, versions):
    v1, _ = versions
    make.RecallFactory(version=v1, ordered_at=timezone.now() - timedelta(hours=30))

    assert send(v1, hours=40).state == "accepted"
    receipt = send(v1, hours=10, run_id="after")
    assert (receipt.state, receipt.expected) == ("mismatch", v1)
    assert "called back" in receipt.reason


def test_rings_that_wait_and_the_fallback_may_be_run(send, route, versions, go_live):
    go_live(versions[1], hours=200)
    v3 = ModelVersionFactory(model=route.model)
    assert send(v3).state == "mismatch"
    Route.objects.filter(pk=route.pk).update(held_version=v3)
    assert send(v3, run_id="2").state == "accepted"
    Route.objects.filter(pk=route.pk).update(held_version=None)
    make.FallbackFactory(version=v3, set_at=timezone.now() - timedelta(days=9))
    assert send(v3, run_id="3").state == "accepted"


def test_nothing_live_and_an_unknown_release_do_not_agree(send, route, versions):
    assert send(digest=UNKNOWN).reason.startswith(f"No version of {route.model.name} is sha256:999")
    receipt = send(versions[0], hours=24 * 20, run_id="3")
    assert (receipt.state, receipt.expected) == ("mismatch", None)
    assert "nothing was live" in receipt.reason


def test_a_mismatch_is_one_finding_however_often_it_is_sent(send, versions):
    for _ in range(3):
        send(versions[1])

    finding = Finding.objects.get()
    assert (finding.source, finding.severity, finding.version) == ("receipt", "medium", versions[1])
    assert finding.reference == f"receipt:{BatchReceipt.objects.get().uid}"
    assert "Run run-1: It used version 2, but version 1 was live" in finding.description
    assert finding.owner is None  # the model's owner has no role here: no reason to be silent


def test_the_same_receipt_again_changes_nothing_and_another_for_the_run_is_refused(
    route, versions, caller_for, recorded_actions
):
    begun = timezone.now() - timedelta(hours=2)
    said = {
        "run_id": "r",
        "rows": 5,
        "started_at": begun,
        "finished_at": begun,
        "digest": versions[0].release_digest,
    }
    given = {
        "caller": caller_for("operator"),
        "model": route.model,
        "environment": route.environment,
    }
    first, is_new = receipts.receive(run=receipts.Run(**said), **given)
    again, is_new_again = receipts.receive(run=receipts.Run(**said), **given)

    assert (is_new, is_new_again, again.pk) == (True, False, first.pk)
    with pytest.raises(Conflict) as refused:
        receipts.receive(run=receipts.Run(**{**said, "rows": 6}), **given)
    assert refused.value.code == "run_differs"
    assert recorded_actions() == [Action.RECEIPT_ACCEPTED]
    with pytest.raises(NotAllowed):
        receipts.receive(run=receipts.Run(**said), **{**given, "caller": caller_for("viewer")})


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"finished_at": timezone.now() + timedelta(days=1)}, "finished_at"),
        (
            {"started_at": timezone.now(), "finished_at": timezone.now() - timedelta(1)},
            "finished_at",
        ),
        ({"digest": "", "version": None}, "digest"),
        ({"version": 2}, "version"),
    ],
)
def test_what_cannot_be_is_refused_and_not_kept(route, versions, caller_for, said, field):
    begun = timezone.now() - timedelta(hours=2)
    run = {
        "run_id": "r",
        "rows": 5,
        "started_at": begun,
        "finished_at": begun,
        "digest": versions[0].release_digest,
    }
    with pytest.raises(Invalid) as refused:
        receipts.receive(
            caller=caller_for("operator"),
            model=route.model,
            environment=route.environment,
            run=receipts.Run(**{**run, **said}),
        )
    assert field in refused.value.fields
    assert not BatchReceipt.objects.exists()


def test_over_rest_once_a_run_and_listed_with_filters(api, route, versions):
    client = api("operator")
    url = f"/api/v1/models/{route.model.name}/receipts"
    begun = timezone.now() - timedelta(hours=2)
    body = {
        "run_id": "nightly-1",
        "version": 1,
        "rows": 5,
        "started_at": begun.isoformat(),
        "finished_at": begun.isoformat(),
        "input_digest": UNKNOWN,
    }
    first = client.post(url, body, format="json")
    assert (first.status_code, first.json()["state"]) == (201, "accepted"), first.content
    assert client.post(url, body, format="json").status_code == 200
    assert client.post(url, {**body, "rows": 6}, format="json").status_code == 409
    other = client.post(url, {**body, "run_id": "n2", "version": 2}, format="json")
    assert (other.json()["state"], other.json()["expected_version"]) == ("mismatch", 1)
    ninth = client.post(url, {**body, "run_id": "n3", "version": 9}, format="json").json()
    assert (ninth["state"], ninth["version"], ninth["stated"]) == ("mismatch", None, "version 9")

    listed = client.get(url, {"state": "mismatch", "version": 2}).json()["results"]
    assert [it["run_id"] for it in listed] == ["n2"]
    for wrong in ({"rows": -1}, {"input_digest": "md5"}, {"environment": "moon"}, {"x": 1}):
        answer = client.post(url, {**body, "run_id": "n4", **wrong}, format="json")
        assert answer.status_code in {400, 404}, answer.content
    assert BatchReceipt.objects.count() == 3
