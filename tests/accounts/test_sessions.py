"""Sessions end: after 30 minutes without a person's doing, and after 12 hours whatever happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from accounts.models import Session
from accounts.services import sessions
from common.errors import NotFound

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
ME = "/api/v1/me"


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def test_it_ends_after_thirty_idle_minutes(clock, client_for):
    client = client_for("viewer")
    client.get(ME)

    clock.shift(timedelta(minutes=29))
    assert client.get(ME).status_code == 200
    clock.shift(timedelta(minutes=30))
    assert client.get(ME).status_code == 200
    clock.shift(timedelta(minutes=30, seconds=1))
    assert client.get(ME).status_code == 401
    assert not Session.objects.exists()


def test_it_ends_after_twelve_hours_of_work(clock, client_for):
    client = client_for("viewer")
    client.get(ME)

    for _ in range(12 * 4):
        clock.shift(timedelta(minutes=15))
        assert client.get(ME).status_code == 200
    clock.shift(timedelta(seconds=1))
    assert client.get(ME).status_code == 401


def test_an_open_page_that_polls_does_not_keep_it_alive(clock, client_for):
    client = client_for("viewer")
    client.get(ME)

    for _ in range(15):
        clock.shift(timedelta(minutes=2))
        assert client.get(ME, headers={"HX-Request": "true"}).status_code == 200
    clock.shift(timedelta(minutes=2))
    assert client.get(ME, headers={"HX-Request": "true"}).status_code == 401


def test_the_page_says_when_it_began_and_ends(clock, client_for):
    client = client_for("viewer")
    client.get(ME)
    clock.shift(timedelta(minutes=20))
    client.get(ME)

    session = Session.objects.get()
    assert session.created_at == NOW
    assert session.ends_at == NOW + timedelta(hours=12)


def test_a_poll_writes_nothing(clock, client_for, django_assert_num_queries):
    client = client_for("viewer")
    client.get(ME)
    clock.shift(timedelta(minutes=5))

    with django_assert_num_queries(3):
        client.get(ME, headers={"HX-Request": "true"})


def test_a_person_ends_their_own_sessions_only(client_for, person):
    user = person("viewer")
    mine, phone, other = client_for(user), client_for(user), client_for("viewer")
    key = other.session.session_key
    foreign = Session.objects.get(session_key=key)

    page = mine.get("/accounts/profile/").content.decode()
    target = Session.objects.get(session_key=phone.session.session_key)
    assert target.public_id in page
    assert target.session_key not in page
    assert mine.post(f"/accounts/profile/sessions/{target.public_id}/end/").status_code == 302
    assert phone.get(ME).status_code == 401
    assert mine.get(ME).status_code == 200

    assert mine.post(f"/accounts/profile/sessions/{foreign.public_id}/end/").status_code == 404
    with pytest.raises(NotFound):
        sessions.end(user=user, public_id=foreign.public_id)
    assert other.get(ME).status_code == 200


def test_an_anonymous_visit_makes_no_session(client):
    client.get("/healthz")
    client.get(ME)

    assert not Session.objects.exists()
