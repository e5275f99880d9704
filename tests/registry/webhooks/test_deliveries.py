"""From a change to a receiver: in one transaction, at least once, shown, sent again by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.actions import Action
from common.errors import Conflict, Invalid, NotFound
from outbound.models import Destination, Message
from outbound.services import calls
from outbound.services.deliver import deliver_due
from registry import webhook_events
from registry.models import Webhook
from registry.services import deliveries, webhooks
from registry.webhook_events import Event, every_event
from tests.factories.accounts import WorkspaceFactory
from tests.factories.outbound import DestinationFactory, MessageFactory
from tests.factories.registry_webhooks import DeliveryFactory, WebhookFactory
from tests.outbound.conftest import drip, respond
from tests.registry.webhooks.conftest import SECRET, allow, received, told

pytestmark = pytest.mark.django_db

ALIAS = Event("MODEL_VERSION_ALIAS", "CREATED")


@pytest.fixture(autouse=True)
def _no_waiting(settings):
    settings.OUTBOX_RETRY_SECONDS = 0.0
    settings.OUTBOUND_ALLOW = ""


@pytest.fixture
def admin(caller_for):
    return caller_for("administrator")


@pytest.fixture
def webhook(admin, receiver):
    return webhooks.create(
        caller=admin, name="bot", url=receiver.url("/hook"), events=[ALIAS], secret=SECRET
    )


def tell(workspace, alias="best"):
    return deliveries.alias_set(workspace=workspace, name="m", alias=alias, number=3)


def test_each_listener_is_told_once_and_nobody_else(workspace, webhook, receiver):
    url = receiver.url()
    kept = {"workspace": workspace, "url": url, "events": [ALIAS.stored]}
    WebhookFactory(**kept, name="second")
    WebhookFactory(**kept, status="DISABLED")
    WebhookFactory(**kept, deleted_at=timezone.now())
    WebhookFactory(workspace=workspace, url=url)  # listens to something else
    WebhookFactory(**{**kept, "workspace": WorkspaceFactory()})

    assert tell(workspace) == 2
    assert deliver_due() == 2
    assert [told(receiver, n)["data"] for n in (0, 1)] == [
        {"name": "m", "alias": "best", "version": "3"}
    ] * 2
    assert Message.objects.filter(state="sent", response_status=200).count() == 2


def test_a_change_that_is_rolled_back_is_not_told(workspace, webhook):
    with transaction.atomic():
        assert tell(workspace) == 1
        transaction.set_rollback(True)
    assert not Message.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_told(workspace):
    with pytest.raises(TransactionManagementError):
        tell(workspace)


def test_it_costs_one_query_where_nobody_listens_and_two_for_any_number(workspace, receiver):
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            tell(workspace)
        return len(seen)

    assert queries() == 1
    WebhookFactory(workspace=workspace, events=[ALIAS.stored])
    assert queries() == 2
    WebhookFactory.create_batch(8, workspace=workspace, events=[ALIAS.stored])
    assert queries() == 2


def test_a_delivery_that_fails_is_tried_again_under_the_same_id(workspace, admin, serve):
    answers = iter(["503 Service Unavailable", "200 OK"])

    def flaky(sock, request):
        respond(next(answers), b"later")(sock, request)

    server = serve(flaky)
    allow(workspace, server)
    WebhookFactory(workspace=workspace, url=server.url(), events=[ALIAS.stored])
    tell(workspace)
    assert deliver_due() == 2
    (first, _), (second, _) = received(server, 0), received(server, 1)
    assert first["x-mlflow-delivery-id"] == second["x-mlflow-delivery-id"]
    assert "x-mlflow-signature" not in second  # no secret was given
    message = Message.objects.get()
    assert (message.state, message.attempts, message.response_status) == ("sent", 2, 200)
    assert str(message.uid) == second["x-mlflow-delivery-id"]


@pytest.mark.parametrize("status", ["404 Not Found", "301 Moved Permanently"])
def test_what_will_never_be_taken_is_given_up_at_once(workspace, serve, status):
    server = serve(respond(status, b"no", "Location: http://169.254.169.254/"))
    allow(workspace, server)
    WebhookFactory(workspace=workspace, url=server.url(), events=[ALIAS.stored])
    tell(workspace)
    assert deliver_due() == 1
    message = Message.objects.get()
    assert (message.state, message.response_status) == ("failed", int(status[:3]))
    assert (message.response_excerpt, message.sealed_secret) == ("no", "spent")


def test_the_address_is_judged_again_at_each_delivery(
    workspace, webhook, receiver, recorded_actions
):
    tell(workspace)
    Destination.objects.filter(workspace=workspace).update(
        revoked_at=timezone.now(), revoked_by_pid="p:x"
    )
    deliver_due()
    assert Message.objects.get().state == "failed"
    assert receiver.requests == []
    assert recorded_actions()[-1] == Action.ADDRESS_REFUSED


def test_answers_are_quoted_only_from_hosts_that_the_workspace_opened(workspace, serve, settings):
    """A range that the installation opens for everybody is no licence to read behind it."""
    server = serve(respond(body=b"secret \x00 of another\nteam " + b"x" * 400))
    settings.OUTBOUND_ALLOW = f"127.0.0.1/32:{server.port}"
    WebhookFactory(workspace=workspace, url=server.url(), events=[ALIAS.stored])
    tell(workspace)
    deliver_due()
    assert Message.objects.get().response_excerpt == ""

    DestinationFactory(workspace=WorkspaceFactory(), cidr="127.0.0.1/32", port=server.port)
    DestinationFactory(
        workspace=workspace, cidr="127.0.0.1/32", port=server.port, host="other.example"
    )
    tell(workspace)
    deliver_due()
    assert Message.objects.first().response_excerpt == ""

    allow(workspace, server)
    tell(workspace)
    deliver_due()
    excerpt = Message.objects.first().response_excerpt
    assert excerpt.startswith("secret of another team xxx")
    assert len(excerpt) == 300


def test_a_receiver_that_hangs_holds_up_its_own_deliveries_only(
    workspace, serve, receiver, settings, monkeypatch
):
    settings.OUTBOX_RETRY_SECONDS = 60.0
    monkeypatch.setitem(calls.call.__kwdefaults__, "deadline_s", 0.2)
    tarpit = serve(drip)
    allow(workspace, tarpit)
    WebhookFactory(workspace=workspace, url=tarpit.url(), events=[ALIAS.stored])
    for _ in range(30):
        tell(workspace)
    other = MessageFactory(workspace=workspace)

    assert deliver_due() == 2  # one of the thirty, and the mail behind them
    other.refresh_from_db()
    assert other.state == "sent"
    assert len(tarpit.requests) == 1


def test_what_has_waited_for_days_is_given_up(workspace, serve):
    server = serve(respond("500 Internal Server Error"))
    allow(workspace, server)
    webhook = WebhookFactory(workspace=workspace, url=server.url(), events=[ALIAS.stored])
    DeliveryFactory(
        workspace=workspace,
        subscription=webhook.uid,
        url=server.url(),
        sealed_secret="",
        created_at=timezone.now() - timedelta(days=4),
    )
    assert deliver_due() == 1
    assert "Given up after 3 days" in Message.objects.get().error


def test_what_waits_follows_the_webhook(workspace, admin, webhook, serve):
    other = serve(respond())
    allow(workspace, other)
    tell(workspace)
    webhooks.update(caller=admin, webhook=webhook, url=other.url("/new"), secret="another-secret")
    deliver_due()
    headers, body = received(other)
    assert headers["x-mlflow-signature"] == calls.sign(
        "another-secret", headers["x-mlflow-delivery-id"], int(headers["x-mlflow-timestamp"]), body
    )


@pytest.mark.parametrize("how", ["switched off", "deleted"])
def test_nothing_more_is_sent_after_the_end(workspace, admin, webhook, receiver, how):
    tell(workspace)
    if how == "deleted":
        webhooks.delete(caller=admin, webhook=webhook)
        with pytest.raises(NotFound):
            webhooks.update(caller=admin, webhook=webhook, name="again")
    else:
        webhooks.update(caller=admin, webhook=webhook, status="DISABLED")
    tell(workspace)
    assert deliver_due() == 0
    assert receiver.requests == []
    assert f"was {how}" in Message.objects.get().error


def test_a_delivery_is_sent_again_under_a_new_id(
    workspace, admin, webhook, receiver, recorded_actions
):
    tell(workspace)
    waiting = Message.objects.get()
    with pytest.raises(Conflict, match="still waits"):
        deliveries.resend(caller=admin, webhook=webhook, delivery=waiting.uid)
    deliver_due()
    new = deliveries.resend(caller=admin, webhook=webhook, delivery=waiting.uid)
    deliver_due()
    (first, body), (second, again) = received(receiver, 0), received(receiver, 1)
    assert body == again
    assert first["x-mlflow-delivery-id"] != second["x-mlflow-delivery-id"] == str(new.uid)
    assert new.again_of == waiting.uid
    assert recorded_actions()[-1] == Action.WEBHOOK_RESENT

    stranger = DeliveryFactory(
        workspace=workspace, subscription=WebhookFactory().uid, state="failed"
    )
    with pytest.raises(NotFound):
        deliveries.resend(caller=admin, webhook=webhook, delivery=stranger.uid)
    webhooks.update(caller=admin, webhook=webhook, status="DISABLED")
    with pytest.raises(Conflict, match="switched off"):
        deliveries.resend(caller=admin, webhook=webhook, delivery=waiting.uid)


def test_secrets_are_sealed_and_stay_out_of_the_trail(webhook):
    from audit.models import Event as Trail

    row = Webhook.objects.get()
    assert SECRET not in row.sealed_secret
    assert row.sealed_secret
    assert "/hook" not in Trail.objects.get().body


def test_a_body_that_is_too_large_loses_its_tags_and_is_still_told(workspace, receiver):
    WebhookFactory(
        workspace=workspace,
        url=receiver.url(),
        events=[{"entity": "MODEL_VERSION", "action": "CREATED"}],
    )
    big = {f"tag-{n}": "x" * 90_000 for n in range(4)}
    deliveries.version_created(
        workspace=workspace, name="m", number=1, source="", run_id="", tags=big, description=""
    )
    deliver_due()
    assert told(receiver)["data"]["truncated"] is True
    assert told(receiver)["data"]["version"] == "1"


def test_there_is_an_end_to_how_many(admin, workspace, receiver, monkeypatch):
    monkeypatch.setattr(webhooks, "MAX_WEBHOOKS", 1)
    webhooks.create(caller=admin, name="a", url=receiver.url(), events=[ALIAS])
    with pytest.raises(Conflict, match="at most 1"):
        webhooks.create(caller=admin, name="b", url=receiver.url(), events=[ALIAS])


@pytest.mark.parametrize("event", every_event(), ids=lambda it: it.name)
def test_every_sample_has_the_keys_of_the_real_thing(event):
    from mlflow.entities.webhook import WebhookEvent
    from mlflow.webhooks.types import get_payload_class_for_event

    kind = get_payload_class_for_event(WebhookEvent.from_str(event.name))
    assert set(webhook_events.sample(event)) == set(kind.__annotations__)


def test_our_pairs_are_the_clients_but_for_budgets():
    from mlflow.entities.webhook import VALID_ENTITY_ACTIONS

    theirs = {
        Event(entity.name, action.name)
        for entity, actions in VALID_ENTITY_ACTIONS.items()
        for action in actions
    }
    assert theirs - set(every_event()) == {Event("BUDGET_POLICY", "EXCEEDED")}
    assert set(every_event()) < theirs


@pytest.mark.parametrize(
    "event", [Event("MODEL_VERSION", "DELETED"), Event("BUDGET_POLICY", "EXCEEDED"), Event("", "")]
)
def test_an_event_that_never_happens_is_refused(admin, receiver, event):
    with pytest.raises(Invalid, match="Valid actions are"):
        webhooks.create(caller=admin, name="b", url=receiver.url(), events=[event])
