"""Webhooks by REST and on pages: shown, changed, tried, sent again; secrets stay inside."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.actions import Action
from outbound.models import Message
from outbound.services.deliver import deliver_due
from registry.models import Webhook
from registry.services import deliveries
from tests.factories.registry_webhooks import DeliveryFactory, WebhookFactory
from tests.registry.webhooks.conftest import SECRET, told

pytestmark = pytest.mark.django_db

EVENTS = ["model_version.created", "model_version_alias.created"]


def url(route, /, **kwargs):
    return reverse(f"v1:{route}", kwargs=kwargs)


@pytest.fixture
def admin(api):
    return api("administrator")


def made(admin, receiver, **fields):
    given = {"name": "bot", "url": receiver.url("/T0/key"), "events": EVENTS, **fields}
    return admin.post(url("webhook-list"), given, format="json")


def test_by_rest_from_creation_to_a_second_delivery(
    admin, receiver, workspace, recorded_actions, settings
):
    body = made(admin, receiver, secret=SECRET, description="To the deployment").json()
    assert body["signed"] is True
    assert body["events"] == EVENTS
    assert SECRET not in str(body)

    tried = admin.post(url("webhook-test", uid=body["uid"]), {}, format="json").json()
    assert tried == {"success": True, "status": 200, "excerpt": "thanks", "error": ""}

    deliveries.alias_set(workspace=workspace, name="m", alias="best", number=2)
    deliver_due()
    listed = admin.get(url("webhook-deliveries", uid=body["uid"])).json()["results"]
    assert [(it["event"], it["state"], it["response_status"]) for it in listed] == [
        ("model_version_alias.created", "sent", 200)
    ]
    assert listed[0]["body"]["data"] == {"name": "m", "alias": "best", "version": "2"}
    again = admin.post(
        url("webhook-resend", uid=body["uid"], delivery=listed[0]["uid"]), {}, format="json"
    )
    assert (again.status_code, again.json()["again_of"]) == (201, listed[0]["uid"])
    deliver_due()
    assert told(receiver)["data"]["alias"] == "best"
    failed = admin.get(url("webhook-deliveries", uid=body["uid"]), {"state": "failed"}).json()
    assert failed["results"] == []

    patched = admin.patch(
        url("webhook-detail", uid=body["uid"]), {"status": "DISABLED", "secret": ""}, format="json"
    ).json()
    assert (patched["status"], patched["signed"], patched["events"]) == ("DISABLED", False, EVENTS)
    assert admin.delete(url("webhook-detail", uid=body["uid"])).status_code == 204
    assert admin.get(url("webhook-detail", uid=body["uid"])).status_code == 404
    assert recorded_actions() == [
        Action.WEBHOOK_CREATED,
        Action.WEBHOOK_TESTED,
        Action.WEBHOOK_RESENT,
        Action.WEBHOOK_UPDATED,
        Action.WEBHOOK_DELETED,
    ]


@pytest.mark.parametrize(
    ("fields", "code", "at"),
    [
        ({"url": "http://169.254.169.254/"}, "address_refused", "url"),
        ({"events": []}, "invalid", "events"),
        ({"events": ["model_version.deleted"]}, "invalid", "events"),
        ({"name": "two words"}, "invalid_name", "name"),
        ({"unknown": 1}, "invalid", "unknown"),
        ({"secret": "x" * 1001}, "invalid", "secret"),
        ({"status": "ASLEEP"}, "invalid", "status"),
    ],
)
def test_what_is_refused_names_its_field(admin, receiver, fields, code, at):
    answer = made(admin, receiver, **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert list(answer.json()["errors"]) == [at]
    assert not Webhook.objects.exists()


def test_others_see_that_it_exists_but_not_its_key(admin, receiver, api, client_for):
    uid = made(admin, receiver).json()["uid"]
    viewer = api("viewer")
    shown = f"http://127.0.0.1:{receiver.port}/…"
    assert viewer.get(url("webhook-detail", uid=uid)).json()["url"] == shown
    assert viewer.get(url("webhook-list")).json()["results"][0]["url"] == shown
    assert viewer.get(url("webhook-deliveries", uid=uid)).status_code == 403
    browser = client_for("viewer")
    for page in (
        reverse("registry:webhook-list"),
        reverse("registry:webhook-detail", args=[uid]),
    ):
        text = browser.get(page).content.decode()
        assert shown in text
        assert "/T0/key" not in text


def test_on_pages_from_creation_to_deletion(client_for, receiver, workspace):
    browser = client_for("administrator")
    page = browser.get(reverse("registry:webhook-create"))
    assert page.status_code == 200
    wrong = browser.post(reverse("registry:webhook-create"), {"name": "bot"})
    assert wrong.status_code == 422
    refused = browser.post(
        reverse("registry:webhook-create"),
        {"name": "bot", "url": "http://10.0.0.1/", "events": EVENTS},
    )
    assert refused.status_code == 409
    assert "private network" in refused.content.decode()
    browser.post(
        reverse("registry:webhook-create"),
        {"name": "bot", "url": receiver.url("/hook"), "events": EVENTS, "secret": SECRET},
    )
    webhook = Webhook.objects.get()

    def at(name, **more):
        return reverse(f"registry:{name}", kwargs={"uid": webhook.uid, **more})

    tested = browser.post(at("webhook-test"), {"event": "model_version.created"})
    assert "The test arrived." in tested.content.decode()
    assert browser.post(at("webhook-test"), {"event": "prompt.created"}).status_code == 422

    deliveries.alias_set(workspace=workspace, name="<b>m</b>", alias="best", number=2)
    deliver_due()
    delivery = Message.objects.get()
    detail = browser.get(at("webhook-detail")).content.decode()
    assert "thanks" in detail
    assert "<b>m</b>" not in detail
    browser.post(at("webhook-resend", delivery=delivery.uid))
    assert Message.objects.count() == 2

    kept = browser.post(
        at("webhook-edit"), {"name": "robot", "url": webhook.url, "events": EVENTS[:1]}
    )
    assert kept.status_code == 302
    webhook.refresh_from_db()
    assert (webhook.name, len(webhook.events), bool(webhook.sealed_secret)) == ("robot", 1, True)
    browser.post(
        at("webhook-edit"),
        {"name": "robot", "url": webhook.url, "events": EVENTS[:1], "unsigned": "on"},
    )
    webhook.refresh_from_db()
    assert webhook.sealed_secret == ""

    assert browser.post(at("webhook-switch"), {"status": "ASLEEP"}).status_code == 409
    off = browser.post(at("webhook-switch"), {"status": "DISABLED"}, follow=True)
    assert "Switched off" in off.content.decode()
    again = browser.post(at("webhook-resend", delivery=delivery.uid))
    assert (again.status_code, "switched off" in again.content.decode()) == (409, True)
    gone = browser.post(at("webhook-delete"), follow=True)
    assert "There is no webhook yet." in gone.content.decode()
    assert browser.get(at("webhook-detail")).status_code == 404


@pytest.mark.parametrize("page", ["webhook-list", "webhook-detail"])
def test_pages_ask_as_often_for_many_as_for_few(page, client_for, workspace):
    browser = client_for("administrator")
    webhook = WebhookFactory(workspace=workspace)
    address = reverse(f"registry:{page}", args=[webhook.uid] if page == "webhook-detail" else [])

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert browser.get(address).status_code == 200
        return len(seen)

    DeliveryFactory(workspace=workspace, subscription=webhook.uid)
    queries()
    few = queries()
    for other in [webhook, *WebhookFactory.create_batch(8, workspace=workspace)]:
        DeliveryFactory.create_batch(4, workspace=workspace, subscription=other.uid)
    assert queries() == few


def test_a_filter_that_is_nonsense_is_no_error(client_for, workspace):
    webhook = WebhookFactory(workspace=workspace)
    DeliveryFactory(workspace=workspace, subscription=webhook.uid, state="failed")
    address = reverse("registry:webhook-detail", args=[webhook.uid])
    browser = client_for("administrator")
    assert browser.get(address, {"state": "x", "event": "y", "page": "z"}).status_code == 200
    assert "No delivery matches" in browser.get(address, {"state": "sent"}).content.decode()
