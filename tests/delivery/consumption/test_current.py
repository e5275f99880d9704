"""What a reader of a route is told, and that it costs nothing to ask again."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from common.errors import NotFound
from delivery.current import current, ring_of
from delivery.models import Route
from delivery.ports import Standing
from tests.factories import delivery as make
from tests.factories.accounts import WorkspaceFactory
from tests.factories.registry import AliasFactory, ModelVersionFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/routes/meters/current"


@pytest.fixture
def rings(route):
    return [
        make.RingFactory(route=route, name=name, position=place, share=share)
        for place, (name, share) in enumerate([("canary", 10), ("early", 30), ("many", 60)])
    ]


def test_digest_signature_files_and_how_long_it_is_good_for(api, route, versions, settings):
    answer = api("viewer").get(URL)

    body = answer.json()
    live = versions[0]
    assert answer.status_code == 200
    assert (body["version"], body["release_digest"]) == (1, live.release_digest)
    assert body["signature"] == live.signature
    assert body["artifacts"] == live.release["artifacts"]
    assert (body["kind"], body["url"], body["instruction"]) == ("read", None, "use")
    assert body["usable_offline"] is True
    assert (body["recalled"], body["fallback"], body["approval"], body["ring"]) == (
        [],
        None,
        None,
        None,
    )
    left = datetime.fromisoformat(body["valid_until"]) - timezone.now()
    lease = timedelta(seconds=settings.ROUTE_LEASE_SECONDS)
    assert lease <= left <= 1.5 * lease
    assert datetime.fromisoformat(body["offline_until"]) > datetime.fromisoformat(
        body["valid_until"]
    )
    assert "max-age=30" in answer["Cache-Control"]
    assert answer["Cache-Control"].startswith("private")


def test_asking_again_is_304_until_something_changes(api, route, versions, go_live):
    client = api("viewer")
    etag = client.get(URL)["ETag"]

    for header in (etag, f'W/{etag}, "other"', "*"):
        again = client.get(URL, headers={"if-none-match": header})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert client.get(URL, headers={"if-none-match": '"other"'}).status_code == 200
    go_live(versions[1])
    changed = client.get(URL, headers={"if-none-match": etag})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)


def test_the_tag_stands_still_while_the_clock_goes_on_and_the_lease_never_gets_short(
    route, versions, settings
):
    settings.ROUTE_LEASE_SECONDS = settings.ROUTE_OFFLINE_SECONDS = 3600
    start = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
    tags = set()
    for minute in range(0, 120):
        now = start + timedelta(minutes=minute)
        found = current(route, now=now)
        tags.add(found.etag)
        left = datetime.fromisoformat(found.body["valid_until"]) - now
        assert timedelta(hours=1) <= left <= timedelta(hours=1.5)
    assert len(tags) == 4


def test_an_approval_that_ends_sooner_ends_the_answer_and_one_that_has_ended_does_not(
    route, versions, authority
):
    now = timezone.now()
    soon = now + timedelta(hours=2)
    authority.stands = Standing("REQ-7", "https://x/requests/7/", soon)
    body = current(route, now=now).body

    assert body["valid_until"] == body["offline_until"]
    assert datetime.fromisoformat(body["valid_until"]) == soon
    assert body["approval"]["request"] == "REQ-7"
    assert body["approval"]["has_ended"] is False
    later = current(route, now=soon + timedelta(seconds=1)).body
    assert later["approval"]["has_ended"] is True
    assert datetime.fromisoformat(later["valid_until"]) > soon + timedelta(hours=20)


def test_a_route_may_forbid_going_on_without_asking(route, versions):
    Route.objects.filter(pk=route.pk).update(offline_seconds=0, lease_seconds=600)
    route.refresh_from_db()
    body = current(route).body

    assert (body["usable_offline"], body["offline_until"]) == (False, None)


def test_rings_that_wait_get_the_version_before(route, versions, rings, go_live):
    v1, v2 = versions
    go_live(v2)
    Route.objects.filter(pk=route.pk).update(held_version=v1, open_rings=1)
    route.refresh_from_db()

    told = {name: current(route, ring=name).body["version"] for name in ("canary", "early", "many")}
    assert told == {"canary": 2, "early": 1, "many": 1}
    # Whoever does not say belongs to the many.
    assert (current(route).body["version"], current(route).body["ring"]) == (1, "many")
    with pytest.raises(NotFound, match="no ring"):
        current(route, ring="moon")


def test_a_device_is_always_in_the_same_ring_and_rings_fill_by_their_shares(route, rings):
    names = [f"unit-{number}" for number in range(4000)]
    found = [ring_of(rings, route, name).name for name in names]

    assert found == [ring_of(rings, route, name).name for name in names]
    shares = {name: found.count(name) / len(found) for name in set(found)}
    assert shares["canary"] == pytest.approx(0.1, abs=0.02)
    assert shares["early"] == pytest.approx(0.3, abs=0.03)
    assert current_ring(route, "unit-7") == ring_of(rings, route, "unit-7").name


def current_ring(route, device):
    AliasFactory(version=ModelVersionFactory(model=route.model))
    return current(route, device=device).body["ring"]


def test_what_is_called_back_says_stop_or_what_to_take_instead(route, versions, go_live):
    v1, v2 = versions
    go_live(v2)
    make.RecallFactory(version=v2, reason="It stops in the cold.")
    body = current(route).body

    assert body["instruction"] == "stop"
    assert (body["valid_until"], body["usable_offline"], body["offline_until"]) == (
        None,
        False,
        None,
    )
    assert [(it["version"], it["reason"]) for it in body["recalled"]] == [
        (2, "It stops in the cold.")
    ]
    make.FallbackFactory(version=v1)
    body = current(route).body
    assert body["instruction"] == "use_fallback"
    assert body["fallback"]["release_digest"] == v1.release_digest
    make.RecallFactory(version=v1)
    assert current(route).body["instruction"] == "stop"


def test_a_recall_of_another_version_is_named_and_stops_nobody(route, versions):
    make.RecallFactory(version=versions[1])
    body = current(route).body

    assert (body["instruction"], [it["version"] for it in body["recalled"]]) == ("use", [2])


def test_the_first_reader_who_gets_the_live_version_is_remembered(api, client_for, route, versions):
    client_for("viewer").get(URL)
    route.refresh_from_db()
    assert route.taken_version is None  # a person who looks runs nothing

    api("viewer").get(URL)
    route.refresh_from_db()
    first = route.taken_at
    assert route.taken_version == versions[0]
    api("viewer").get(URL)
    route.refresh_from_db()
    assert route.taken_at == first


def test_nothing_live_is_not_found_and_neither_is_anothers_route(api, route, workspace):
    assert api("viewer").get(URL).status_code == 404
    other = WorkspaceFactory(slug="other")
    assert api("viewer", workspace=other).get(URL).status_code == 404


@pytest.mark.parametrize("query", ["ring=" + "x" * 200, "device=" + "x" * 200, "ring=%00"])
def test_an_odd_question_is_a_bad_request(api, route, versions, query):
    assert api("viewer").get(f"{URL}?{query}").status_code == 400


def test_a_route_without_a_gateway_is_made_over_rest(api, route, workspace):
    body = {"name": "churn", "model": route.model.name, "environment": "staging"}
    made = api("operator").post("/api/v1/routes", {**body, "offline_seconds": 0}, format="json")

    assert made.status_code == 201, made.content
    assert (made.json()["gateway"], made.json()["url"]) == (None, None)
    assert made.json()["offline_seconds"] == 0


def test_as_many_queries_for_ten_recalls_as_for_one(route, versions, django_assert_num_queries):
    with django_assert_num_queries(5):
        current(route)
    for _ in range(3):
        make.RecallFactory(version=ModelVersionFactory(model=route.model))
    with django_assert_num_queries(5):
        current(route)
