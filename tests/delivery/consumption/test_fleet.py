"""What devices say: the last state of each, counts per day, and nothing personal."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from common.errors import Invalid, NotAllowed
from delivery import fleet as fleets
from delivery.models import Device, FleetDay, Route
from delivery.services import fleet
from tests.factories import delivery as make

pytestmark = pytest.mark.django_db
UNKNOWN = "sha256:" + "9" * 64


@pytest.fixture
def report(route, caller_for):
    """``report(("a", v1), ("b", v2, "canary"), days=1)``: all of them a day ago."""
    caller = caller_for("operator")
    noon = datetime.now(UTC).replace(hour=0, minute=0, second=30, microsecond=0)

    def act(*said, days=0, minutes=0):
        at = noon - timedelta(days=days) + timedelta(minutes=minutes)
        at = min(at, timezone.now())
        return fleet.receive(
            caller=caller,
            model=route.model,
            reports=[
                fleet.Report(name, getattr(version, "release_digest", version), at, *ring)
                for name, version, *ring in said
            ],
        )

    return act


def counts(model):
    rows = FleetDay.objects.filter(model=model, devices__gt=0).order_by("day", "digest", "ring")
    return [(row.day, row.digest, row.ring, row.devices) for row in rows]


def test_the_last_word_of_each_device_counts_once_a_day(report, route, versions):
    v1, v2 = versions
    report(("a", v1), ("b", v1), days=1)
    report(("a", v1), ("b", v1))
    report(("a", v2, "canary"), minutes=1)

    today = timezone.now().date()
    yesterday = today - timedelta(days=1)
    assert counts(route.model) == sorted(
        [
            (yesterday, v1.release_digest, "", 2),
            (today, v1.release_digest, "", 1),
            (today, v2.release_digest, "canary", 1),
        ]
    )
    a = Device.objects.get(device_id="a")
    assert (a.version, a.ring, a.first_seen_at.date()) == (v2, "canary", yesterday)


def test_sent_twice_or_late_it_changes_nothing(report, route, versions):
    v1, v2 = versions
    report(("a", v2))
    before = counts(route.model)
    assert report(("a", v2)).late == 0
    assert report(("a", v1), days=3).late == 1

    assert counts(route.model) == before
    assert Device.objects.get().version == v2


def test_of_one_device_in_one_batch_the_newest_counts(route, versions, caller_for):
    v1, v2 = versions
    now = timezone.now()
    said = [
        fleet.Report("a", v2.release_digest, now),
        fleet.Report("a", v1.release_digest, now - timedelta(minutes=1)),
    ]
    fleet.receive(caller=caller_for("operator"), model=route.model, reports=said)

    assert Device.objects.get().version == v2


def test_an_unknown_release_is_kept_as_said_and_counted_as_unknown(report, route, versions):
    report(("a", UNKNOWN), ("b", "sha256:" + "8" * 64))

    assert {row.version for row in Device.objects.all()} == {None}
    assert [row[1:] for row in counts(route.model)] == [("unknown", "", 2)]
    report(("a", versions[0]), minutes=1)
    assert sorted(row[1:] for row in counts(route.model)) == sorted(
        [("unknown", "", 1), (versions[0].release_digest, "", 1)]
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "letters"),
        ("ada@example.org", "letters"),
        ("a b", "letters"),
        ("x" * 129, "letters"),
        ("00:1a:2b:3c:4d:5e", "letters"),
        ("192.168.0.7", "address"),
        ("4915112345678", "telephone"),
        ("356938035643809", "serial"),
    ],
)
def test_a_pseudonym_is_wanted(report, versions, name, why):
    with pytest.raises(Invalid, match="Nothing was taken") as refused:
        report(("fine", versions[0]), (name, versions[0]))

    assert why in refused.value.fields["reports"][0]
    assert refused.value.fields["reports"][0].startswith("2: device_id")
    assert not Device.objects.exists()


def test_pseudonyms_that_are_fine():
    for name in ("unit-7f3a", "0007", "A.b_c-1", "f" * 64):
        assert fleet.why_not_a_device(name) == ""


def test_the_future_and_a_bad_digest_or_ring_are_refused(route, versions, caller_for):
    caller, now = caller_for("operator"), timezone.now()
    good = versions[0].release_digest
    for wrong in (
        fleet.Report("a", good, now + timedelta(hours=1)),
        fleet.Report("a", "sha256:ABC", now),
        fleet.Report("a", good, now, "Über"),
    ):
        with pytest.raises(Invalid):
            fleet.receive(caller=caller, model=route.model, reports=[wrong])
    with pytest.raises(Invalid, match="1,000"):
        fleet.receive(caller=caller, model=route.model, reports=[])
    with pytest.raises(NotAllowed):
        fleet.receive(
            caller=caller_for("viewer"),
            model=route.model,
            reports=[fleet.Report("a", good, now)],
        )


def test_states_of_devices_the_worst_first(report, route, versions, go_live):
    v1, v2 = versions
    go_live(v2)
    report(("quiet", v2), days=30)
    report(("good", v2), ("old", v1), ("odd", UNKNOWN))
    states = {it.device_id: it.state for it in fleets.devices(fleets.fleet_of(route.model))}
    assert states == {"quiet": "silent", "good": "current", "old": "behind", "odd": "unknown"}

    make.RecallFactory(version=v2)
    found = fleets.summary(fleets.fleet_of(route.model))
    assert found.states == {"recalled": 2, "unknown": 1, "silent": 0, "behind": 1, "current": 0}
    longer = fleets.fleet_of(route.model, silent_days=60)
    assert not fleets.devices(longer).filter(state="silent").exists()


def test_a_ring_that_waits_is_current_on_the_version_before(report, route, versions, go_live):
    v1, v2 = versions
    go_live(v2)
    for place, name in enumerate(("canary", "many")):
        make.RingFactory(route=route, name=name, position=place, share=50)
    Route.objects.filter(pk=route.pk).update(held_version=v1, open_rings=1)
    report(
        ("a", v2, "canary"), ("b", v1, "canary"), ("c", v1, "many"), ("d", v2, "many"), ("e", v1)
    )

    states = {it.device_id: it.state for it in fleets.devices(fleets.fleet_of(route.model))}
    assert states == {"a": "current", "b": "behind", "c": "current", "d": "behind", "e": "current"}


def test_over_rest_one_many_and_lines(api, route, versions):
    client = api("operator")
    url = f"/api/v1/models/{route.model.name}/devices"
    now = timezone.now()

    def said(name, **more):
        return {
            "device_id": name,
            "digest": versions[0].release_digest,
            "at": now.isoformat(),
            **more,
        }

    one = client.post(url, said("a"), format="json")
    assert (one.status_code, one.json()) == (202, {"reports": 1, "late": 0}), one.content
    many = client.post(url, [said(f"d{n}") for n in range(1000)], format="json")
    assert (many.status_code, many.json()["reports"]) == (202, 1000)
    lines = "\n".join(json.dumps(said(name, ring="canary")) for name in ("l1", "l2")) + "\n"
    sent = client.post(url, lines, content_type="application/x-ndjson")
    assert (sent.status_code, sent.json()["reports"]) == (202, 2), sent.content
    assert Device.objects.count() == 1003

    listed = client.get(url, {"ring": "canary", "state": "current", "limit": 500}).json()["results"]
    assert [it["device_id"] for it in listed] == ["l2", "l1"]
    figures = client.get(f"/api/v1/models/{route.model.name}/fleet").json()
    assert (figures["devices"], figures["live_version"]) == (1003, 1)
    assert figures["states"]["current"] == 1003
    assert figures["days"] == {f"{now.date()}": {"version 1": 1003}}


@pytest.mark.parametrize(
    "body",
    [
        [],
        5,
        [5],
        "x",
        {"device_id": "a"},
        {"device_id": 1, "digest": UNKNOWN, "at": "2026-01-01T00:00:00Z"},
        {"device_id": "a", "digest": UNKNOWN, "at": "soon"},
        {"device_id": "a", "digest": UNKNOWN, "at": "0001-01-01T00:00:00+14:00"},
        {"device_id": "a", "digest": UNKNOWN, "at": "2026-01-01T00:00:00Z", "serial": "1"},
        {"device_id": "a", "digest": UNKNOWN, "at": "2026-01-01T00:00:00Z", "ring": ["x"]},
        [{"device_id": "a", "digest": UNKNOWN, "at": "2026-01-01T00:00:00Z"}] * 1001,
    ],
)
def test_bad_bodies_are_a_clear_4xx_and_nothing_is_kept(api, route, body):
    answer = api("operator").post(f"/api/v1/models/{route.model.name}/devices", body, format="json")

    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert not Device.objects.exists()


def test_bad_lines_name_their_line(api, route):
    url = f"/api/v1/models/{route.model.name}/devices"
    answer = api("operator").post(url, '{"a": 1}\nnot json\n', content_type="application/x-ndjson")

    assert (answer.status_code, "Line 2" in str(answer.json())) == (400, True)


def test_as_many_queries_for_a_thousand_devices_as_for_two(
    report, route, versions, django_assert_max_num_queries
):
    for batch in (2, 1000):
        with django_assert_max_num_queries(12):
            report(*((f"x{batch}-{n}", versions[0]) for n in range(batch)))
    with django_assert_max_num_queries(8):
        fleets.summary(fleets.fleet_of(route.model))
