"""The real sign-in form, lock-out, passwords, and what the trail says of them."""

from __future__ import annotations

import pytest
from django.core import mail
from django.test import Client

from accounts.models import Session, User
from audit.actions import Action
from audit.models import Event
from tests.factories import accounts
from tests.factories.accounts import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"


@pytest.fixture
def ada(person):
    return person("validator", email="ada@example.com", name="Ada")


def sign_in(client, password=PASSWORD, email="ada@example.com", **more):
    return client.post(LOGIN, {"login": email, "password": password}, **more)


def test_the_form_signs_in(client, ada, recorded_actions):
    assert 'name="login"' in client.get(LOGIN).content.decode()

    answer = sign_in(client)

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/api/v1/me").json()["pid"] == ada.pid
    assert Session.objects.get(user=ada).session_key == client.session.session_key
    assert recorded_actions("acme") == [Action.SIGNED_IN]
    assert Event.objects.get().actor_pid == ada.pid


def test_it_goes_on_to_where_somebody_came_from_but_not_elsewhere(client, ada):
    there = client.post(
        LOGIN, {"login": ada.email, "password": PASSWORD, "next": "/accounts/profile/"}
    )
    assert there["Location"] == "/accounts/profile/"
    away = Client().post(
        LOGIN, {"login": ada.email, "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert away["Location"] == "/"


def test_signing_in_needs_the_csrf_token(ada):
    assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403


def test_a_wrong_password_and_an_unknown_address_answer_alike(client, ada, recorded_actions):
    wrong = sign_in(client, "wrong")
    unknown = sign_in(client, "wrong", email="nobody@example.com")

    assert wrong.status_code == unknown.status_code
    assert "_auth_user_id" not in client.session
    assert recorded_actions() == [Action.SIGNED_IN_FAILED] * 2
    known, nobody = Event.objects.order_by("pk")
    assert (known.object_id, nobody.object_id) == (ada.pid, "unknown")
    assert "ada@" not in known.body
    assert "nobody@" not in nobody.body


@pytest.mark.usefixtures("axes_enabled")
def test_a_mistyped_password_is_kept_nowhere(client, ada, caplog):
    from django.db import connection

    typed = "my-other-secret-xyzzy"
    sign_in(client, typed)

    assert typed not in caplog.text
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{typed}%"]
            )
            assert cursor.fetchone() == (0,), table


def test_a_deactivated_person_cannot_sign_in(client, ada):
    User.objects.filter(pk=ada.pk).update(is_active=False)

    sign_in(client)

    assert "_auth_user_id" not in client.session
    assert client.get("/api/v1/me").status_code == 401


def test_nobody_signs_up(client):
    assert client.get("/accounts/signup/").status_code in {302, 404}
    before = User.objects.count()
    client.post(
        "/accounts/signup/",
        {"email": "me@example.com", "password1": PASSWORD, "password2": PASSWORD},
    )
    assert User.objects.count() == before


@pytest.mark.usefixtures("axes_enabled")
def test_ten_wrong_passwords_close_the_door_from_that_address_only(client, ada, recorded_actions):
    statuses = [sign_in(client, "wrong").status_code for _ in range(10)]

    assert statuses[:9] == [200] * 9
    assert sign_in(client).status_code == 429, "the right password too"
    assert "_auth_user_id" not in client.session
    # a forged header is not another address
    assert sign_in(client, headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 429
    assert sign_in(client, email="ADA@example.com").status_code == 429, "nor is another spelling"
    elsewhere = Client(REMOTE_ADDR="192.0.2.99")
    assert sign_in(elsewhere).status_code == 302
    assert elsewhere.get("/api/v1/me").status_code == 200
    assert recorded_actions().count(Action.SIGNED_IN_FAILED) <= 10


@pytest.mark.usefixtures("axes_enabled")
def test_one_persons_wrong_passwords_do_not_close_the_door_for_another(client, ada, person):
    person("viewer", email="ben@example.com")
    for _ in range(11):
        sign_in(client, "wrong")

    assert sign_in(client, email="ben@example.com").status_code == 302


def test_a_new_password_ends_the_other_sessions(ada, recorded_actions):
    here, there = Client(), Client()
    sign_in(here)
    sign_in(there)
    new = "a much better passphrase"

    answer = here.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )

    assert answer.status_code == 302
    assert there.get("/api/v1/me").status_code == 401
    assert recorded_actions()[-1] == Action.PASSWORD_CHANGED
    assert not Session.objects.filter(user=ada).exists()
    assert sign_in(Client()).status_code == 200, "the old password"
    assert sign_in(Client(), new).status_code == 302


def test_a_weak_new_password_is_refused(ada, recorded_actions):
    client = Client()
    sign_in(client)

    for weak in ("short", "password1234", "ada@example.com"):
        answer = client.post(
            "/accounts/password/change/",
            {"oldpassword": PASSWORD, "password1": weak, "password2": weak},
        )
        assert answer.status_code == 200
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
    assert Action.PASSWORD_CHANGED not in recorded_actions()


def test_a_forgotten_password_is_set_by_mail(ada, client):
    other = Client()
    sign_in(other)

    client.post("/accounts/password/reset/", {"email": ada.email})

    assert mail.outbox[0].to == [ada.email]
    assert mail.outbox[0].subject.startswith("Countersign")
    link = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word)
    path = "/" + link.split("/", 3)[3]
    form = client.get(path)["Location"]
    new = "another long passphrase"
    client.post(form, {"password1": new, "password2": new})
    ada.refresh_from_db()
    assert ada.check_password(new)
    assert other.get("/api/v1/me").status_code == 401
    assert "/password/reset/key/" not in client.get(path).headers.get("Location", ""), "works once"


def test_somebody_new_without_a_password_sets_one_the_same_way(workspace, client):
    user = User.objects.create_user("new@example.com")
    accounts.MembershipFactory(workspace=workspace, user=user)

    client.post("/accounts/password/reset/", {"email": user.email})

    assert len(mail.outbox) == 1
    assert sign_in(client, "", email=user.email).status_code == 200
    assert sign_in(client, "!", email=user.email).status_code == 200


def test_no_mail_goes_to_a_strangers_address(client):
    answer = client.post("/accounts/password/reset/", {"email": "stranger@example.com"})

    assert answer.status_code == 302
    assert mail.outbox == []


def test_a_broken_mail_server_is_not_an_error_page(ada, client, settings, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 1, 1

    answer = client.post("/accounts/password/reset/", {"email": ada.email})

    assert answer.status_code == 302
    assert "could not be sent" in caplog.text


def test_signing_out_ends_the_session(client, ada):
    sign_in(client)
    key = client.session.session_key

    client.post("/accounts/logout/")

    assert not Session.objects.filter(session_key=key).exists()
    assert client.get("/api/v1/me").status_code == 401


def test_the_session_gets_a_new_key_with_the_sign_in(client, ada):
    client.get(LOGIN)
    session = client.session
    session["before"] = 1
    session.save()
    before = session.session_key

    sign_in(client)

    assert client.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()


def test_the_session_cookie_is_closed_to_scripts(client, ada):
    cookie = sign_in(client).cookies["sessionid"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
