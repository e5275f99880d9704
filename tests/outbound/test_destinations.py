"""The allow-list: who may open what, what stays closed, and that the trail knows."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from audit.actions import Action
from audit.models import Event
from common.errors import AlreadyExists, Conflict, Invalid, NotAllowed
from outbound.errors import AddressRefused, DestinationNotFound, Unreachable
from outbound.models import Destination
from outbound.services import destinations
from tests.factories.accounts import WorkspaceFactory
from tests.factories.outbound import DestinationFactory
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db

GIVEN = {"cidr": "10.1.2.3/32", "port": 8080, "reason": "The fraud team's server"}


@pytest.fixture(autouse=True)
def _nothing_by_setting(settings):
    settings.OUTBOUND_ALLOW = ""


def test_an_administrator_opens_and_revokes(workspace, caller_for):
    caller = caller_for("administrator")
    url = "http://10.1.2.3:8080/invocations"
    with pytest.raises(AddressRefused):
        destinations.check_url(url, workspace)

    entry = destinations.allow(**GIVEN, caller=caller)
    pinned = destinations.check_url(url, workspace)
    assert (pinned.address, pinned.port, pinned.host) == ("10.1.2.3", 8080, "10.1.2.3")
    with pytest.raises(AddressRefused):
        destinations.check_url(url, WorkspaceFactory())
    with pytest.raises(AddressRefused):
        destinations.check_url("http://10.1.2.3:8081/", workspace)

    destinations.revoke(uid=entry.uid, caller=caller)
    with pytest.raises(AddressRefused):
        destinations.check_url(url, workspace)
    assert recorded_actions() == [Action.DESTINATION_ALLOWED, Action.DESTINATION_REVOKED]
    assert "fraud" not in Event.objects.first().body  # free text is kept beside the trail

    destinations.allow(**GIVEN, caller=caller)  # it may be opened anew


@pytest.mark.parametrize("role", ["viewer", "operator", "risk_officer", "model_owner"])
def test_nobody_else_opens_or_revokes(workspace, caller_for, role):
    entry = DestinationFactory(workspace=workspace)
    with pytest.raises(NotAllowed):
        destinations.allow(**GIVEN, caller=caller_for(role))
    with pytest.raises(NotAllowed):
        destinations.revoke(uid=entry.uid, caller=caller_for(role))
    assert Destination.objects.get().is_in_force
    assert recorded_actions() == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cidr": "10.1.2.3/16"}, "cidr"),
        ({"cidr": "example.com"}, "cidr"),
        ({"cidr": ""}, "cidr"),
        ({"cidr": "169.254.169.254/32"}, "cidr"),
        ({"cidr": "0.0.0.0/0"}, "cidr"),
        ({"cidr": "8.8.8.8/32"}, "cidr"),
        ({"cidr": "::/96"}, "cidr"),
        ({"port": 0}, "port"),
        ({"port": 65_536}, "port"),
        ({"host": "not a host"}, "host"),
        ({"host": "evil\r\nX: y"}, "host"),
        ({"host": "a" * 254}, "host"),
        ({"reason": "  \x00 "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
    ],
)
def test_what_cannot_be_opened_names_its_field(workspace, caller_for, change, field):
    with pytest.raises(Invalid) as caught:
        destinations.allow(**{**GIVEN, **change}, caller=caller_for("administrator"))
    assert list(caught.value.fields) == [field]
    assert Destination.objects.count() == 0
    assert recorded_actions() == []


def test_our_own_database_web_and_gateway_stay_closed(workspace, caller_for, settings):
    caller = caller_for("administrator")
    database = int(settings.DATABASES["default"]["PORT"])
    first = settings.ENV.port
    for port in (database, first, first + 2, first + 3):
        with pytest.raises(Invalid, match="own"):
            destinations.allow(cidr="127.0.0.1/32", port=port, reason="x", caller=caller)
        # Also where a setting or an older, wider entry would open it.
        settings.OUTBOUND_ALLOW = f"127.0.0.0/8:{port},[::1/128]:{port}"
        for host in ("127.0.0.1", "127.0.0.2", "[::1]", "localhost", "[::ffff:127.0.0.1]"):
            with pytest.raises(AddressRefused, match="own"):
                destinations.check_url(f"http://{host}:{port}/", workspace)


def test_an_outside_redis_or_database_is_ours_too(workspace, settings, monkeypatch, names):
    from dataclasses import replace

    names["db.internal"] = ["10.5.0.1"]
    names["redis.internal"] = ["10.5.0.2"]
    database = {**settings.DATABASES["default"], "HOST": "db.internal", "PORT": "5433"}
    monkeypatch.setitem(settings.DATABASES, "default", database)
    settings.ENV = replace(settings.ENV, redis_url="redis://redis.internal:6380/0")
    settings.OUTBOUND_ALLOW = "10.0.0.0/8:1-65535"
    destinations._own.cache_clear()
    try:
        for place in ("10.5.0.1:5433", "10.5.0.2:6380", "[::ffff:10.5.0.1]:5433"):
            with pytest.raises(AddressRefused, match="own"):
                destinations.check_url(f"http://{place}/", workspace)
        assert destinations.check_url("http://10.5.0.1:5434/", workspace)
    finally:
        destinations._own.cache_clear()


def test_the_same_entry_twice_is_a_conflict(workspace, caller_for):
    caller = caller_for("administrator")
    destinations.allow(**GIVEN, caller=caller)
    with pytest.raises(AlreadyExists):
        destinations.allow(**GIVEN, caller=caller)
    assert recorded_actions() == [Action.DESTINATION_ALLOWED]


def test_revoking_twice_or_elsewhere(workspace, caller_for):
    caller = caller_for("administrator")
    entry = DestinationFactory(workspace=workspace)
    foreign = DestinationFactory()
    destinations.revoke(uid=entry.uid, caller=caller)
    with pytest.raises(Conflict):
        destinations.revoke(uid=entry.uid, caller=caller)
    with pytest.raises(DestinationNotFound):
        destinations.revoke(uid=foreign.uid, caller=caller)
    foreign.refresh_from_db()
    assert foreign.is_in_force
    assert recorded_actions() == [Action.DESTINATION_REVOKED]


def test_an_unknown_name_is_unreachable_not_refused(workspace, names):
    with pytest.raises(Unreachable):
        destinations.check_url("http://nowhere.example/", workspace)


@pytest.mark.parametrize(
    "change", [{"port": 0}, {"port": 70_000}, {"reason": ""}, {"revoked_by_pid": "p:x"}]
)
def test_the_database_keeps_an_entry_whole(change):
    entry = DestinationFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        Destination.objects.filter(pk=entry.pk).update(**change)


# By API and page


def test_the_api_opens_lists_and_revokes(workspace, api):
    client = api("administrator")
    made = client.post("/api/v1/outbound/destinations", {**GIVEN, "host": "Fraud.Internal."})
    assert made.status_code == 201
    assert made.json()["host"] == "fraud.internal"
    uid = made.json()["uid"]
    rows = client.get("/api/v1/outbound/destinations").json()["results"]
    assert [row["uid"] for row in rows] == [uid]
    gone = client.post(f"/api/v1/outbound/destinations/{uid}/revoke").json()
    assert gone["revoked_at"] is not None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**GIVEN, "cidr": "169.254.169.254/32"},
        {**GIVEN, "port": "x"},
        {**GIVEN, "unknown": 1},
        {**GIVEN, "reason": "x" * 10_000},
        {**GIVEN, "cidr": "9" * 1_000_000},
        [],
    ],
)
def test_the_api_refuses_bad_input_by_field(workspace, api, body):
    answer = api("administrator").post("/api/v1/outbound/destinations", body)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert Destination.objects.count() == 0


@pytest.fixture
def page(client_for):
    return client_for("administrator")


def test_the_page_opens_and_revokes(workspace, page):
    answer = page.post(reverse("outbound:destination-allow"), GIVEN, follow=True)
    assert "10.1.2.3:8080" in answer.content.decode() or "10.1.2.3/32" in answer.content.decode()
    entry = Destination.objects.get()
    answer = page.post(reverse("outbound:destination-revoke", args=[entry.uid]), follow=True)
    assert "may no longer be called" in answer.content.decode()
    again = page.post(reverse("outbound:destination-revoke", args=[entry.uid]))
    assert (again.status_code, "revoked already" in again.content.decode()) == (409, True)


def test_the_page_shows_what_is_wrong_beside_the_field(workspace, page):
    answer = page.post(
        reverse("outbound:destination-allow"), {**GIVEN, "cidr": "169.254.169.254/32"}
    )
    assert answer.status_code == 422
    assert "where cloud metadata lives" in answer.content.decode()
    assert page.post(reverse("outbound:destination-allow"), {}).status_code == 422
    assert Destination.objects.count() == 0
