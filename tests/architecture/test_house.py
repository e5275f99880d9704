"""The processes that serial tests start: real ones, as ``cs_app``, on a database of their own."""

from __future__ import annotations

import httpx
import psycopg
import pytest

from accounts.models import User
from accounts.services import people
from tests.factories.accounts import PASSWORD

pytestmark = pytest.mark.serial


def test_a_person_signs_in_through_the_real_form(house):
    ada = house.person("validator", email="ada@example.com")
    web = house.web()

    browser, machine = house.signed_in(ada), house.bearer(ada, scopes=["read"])

    assert browser.get("/api/v1/me").json()["pid"] == ada.pid
    assert machine.get("/api/v1/me").json()["scopes"] == ["read"]
    assert httpx.get(f"{house.url}/api/v1/me").status_code == 401

    people.deactivate(user=ada, caller=_system(house))

    assert browser.get("/api/v1/me").status_code == 401
    assert machine.get("/api/v1/me").status_code == 401
    assert PASSWORD not in web.log
    assert web.is_running


def test_processes_are_the_applications_role_and_cannot_change_the_schema(house):
    with psycopg.connect(house.urls["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("cs_app",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("ALTER TABLE accounts_user ADD COLUMN x int")


def test_each_house_starts_empty(house):
    assert not User.objects.exists()


def test_a_killed_process_is_gone_and_its_log_stays(house):
    web = house.web()

    web.kill()

    assert not web.is_running
    with pytest.raises(httpx.ConnectError):
        httpx.get(house.url)
    assert "Spawning worker" in web.log
    assert house.web().is_running


def test_every_process_does_its_part(house):
    from accounts.services import workspaces
    from audit.models import Checkpoint
    from jobs.models import QueuePing

    workspaces.create(slug="risk", name="Risk")
    worker, beat, sealer = house.worker(), house.beat(), house.sealer()
    everybody = [worker, beat, sealer]

    house.wait("the event is sealed", Checkpoint.objects.exists, timeout_s=30, alive=everybody)
    house.wait(
        "the worker answers beat",
        lambda: {"default", "traffic"} <= set(QueuePing.objects.values_list("queue", flat=True)),
        timeout_s=60,
        alive=everybody,
    )
    house.kill_redis()
    house.start_redis()
    seen = QueuePing.objects.get(queue="default").completed_at
    house.wait(
        "the worker answers again",
        lambda: QueuePing.objects.filter(queue="default", completed_at__gt=seen).exists(),
        timeout_s=60,
        alive=[beat, sealer],
    )
    assert "1 events are as they were recorded" in house.manage("audit_verify")


def test_ten_wrong_passwords_are_429_on_the_real_site(house):
    ada = house.person("validator", email="ada@example.com")
    house.web()

    statuses = []
    for _ in range(11):
        with httpx.Client(base_url=house.url) as client:
            from tests.processes import csrf_token

            token = csrf_token(client.get("/accounts/login/").text)
            form = {"login": ada.email, "password": "wrong", "csrfmiddlewaretoken": token}
            statuses.append(client.post("/accounts/login/", data=form).status_code)

    assert statuses[:9] == [200] * 9
    assert statuses[-1] == 429


def _system(house):
    from accounts.callers import Caller

    return Caller.system("test", house.workspace())
