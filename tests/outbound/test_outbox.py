"""The outbox: told once, delivered at least once, given up in the end; mail by file and SMTP."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.core import mail as django_mail
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from audit.actions import Action
from common.errors import Invalid
from embedded.processes import free_port
from outbound import secrets
from outbound.errors import AddressRefused
from outbound.models import Message
from outbound.services import deliver, send
from tests.factories.accounts import WorkspaceFactory
from tests.factories.outbound import MessageFactory
from tests.outbound.conftest import respond
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db

SECRET = "whsec_0123456789abcdef"
FILES = "outbound.mailbox.EmlBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture(autouse=True)
def _templates(settings, tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "hello.txt").write_text(
        "Hello {{ name }},\n{{ base_url }}/w/{{ workspace.slug }}/\n"
    )
    settings.TEMPLATES = [
        {**settings.TEMPLATES[0], "DIRS": [tmp_path / "t", *settings.TEMPLATES[0]["DIRS"]]}
    ]
    settings.OUTBOX_RETRY_SECONDS = 0.0


def write(workspace, **values):
    given_ = {
        "to": ["ada@example.com"],
        "subject": "Request 7 waits for you",
        "template": "hello.txt",
        "context": {"name": "Ada & Bo"},
        "dedupe_key": "request:7:opened",
        "purpose": "request.opened",
        **values,
    }
    return send.mail(workspace=workspace, **given_)


def call(workspace, url, **values):
    given_ = {
        "event": "alert.opened",
        "payload": {"n": 1},
        "secret": SECRET,
        "dedupe_key": "alert:1",
        "purpose": "alert",
        **values,
    }
    return send.webhook(workspace=workspace, url=url, **given_)


def test_a_mail_is_written_once_and_as_text(workspace):
    first = write(workspace)
    assert write(workspace, subject="Another") == first
    assert write(workspace, dedupe_key="request:8:opened") != first
    other = write(WorkspaceFactory())
    assert other.message_id != first.message_id
    assert first.body.startswith("Hello Ada & Bo,\n")
    assert f"/w/{workspace.slug}/" in first.body
    assert Message.objects.count() == 3


def test_a_rollback_takes_the_mail_along(workspace):
    with transaction.atomic():
        write(workspace)
        transaction.set_rollback(True)
    assert Message.objects.count() == 0


@pytest.mark.parametrize(
    "to", [[], ["not an address"], ["a@b.example\nBcc: x@y.example"], ["a@b.example"] * 0]
)
def test_a_mail_to_nobody_is_refused(workspace, to):
    with pytest.raises(Invalid):
        write(workspace, to=to)
    assert Message.objects.count() == 0


def test_it_is_delivered_as_an_eml_file(workspace, settings, tmp_path):
    settings.EMAIL_BACKEND, settings.EMAIL_DIR = FILES, tmp_path / "mail"
    message = write(workspace, subject="Überprüfung: 3 von 4 ✓")

    assert deliver.deliver_due() == 1

    (path,) = (tmp_path / "mail").iterdir()
    parsed = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert path.suffix == ".eml"
    assert path.stat().st_mode & 0o077 == 0
    assert parsed["Subject"] == "Überprüfung: 3 von 4 ✓"
    assert parsed["To"] == "ada@example.com"
    assert parsed["Message-ID"] == message.message_id
    assert parsed.get_content().startswith("Hello Ada & Bo,")
    message.refresh_from_db()
    assert (message.state, message.attempts, message.error) == ("sent", 1, "")
    assert deliver.deliver_due() == 0


def test_the_same_mail_again_replaces_its_file(workspace, settings, tmp_path):
    """A crash between sending and the commit: sent twice, under one id, and one file is left."""
    settings.EMAIL_BACKEND, settings.EMAIL_DIR = FILES, tmp_path / "mail"
    write(workspace)
    deliver.deliver_due()
    Message.objects.update(state="queued", sent_at=None, next_try_at=timezone.now())
    deliver.deliver_due()
    assert len(list((tmp_path / "mail").iterdir())) == 1


class Inbox:
    """A real SMTP server's handler."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.answers: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.got.append(envelope)
        return answer


@pytest.fixture
def smtp(settings):
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.EMAIL_BACKEND = SMTP
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = controller.port
    settings.EMAIL_TIMEOUT = 5
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield inbox
    controller.stop()


def test_it_is_delivered_by_smtp(workspace, smtp):
    message = write(workspace, to=["ada@example.com", "bo@example.com"])
    deliver.deliver_due()
    (envelope,) = smtp.got
    assert envelope.rcpt_tos == ["ada@example.com", "bo@example.com"]
    parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert parsed["Message-ID"] == message.message_id
    assert parsed["Subject"] == "Request 7 waits for you"


def test_a_busy_mail_server_is_tried_again_under_the_same_id(workspace, smtp):
    smtp.answers = ["451 Try later", "250 OK"]
    message = write(workspace)
    assert deliver.deliver_due() == 2
    message.refresh_from_db()
    assert (message.state, message.attempts) == ("sent", 2)
    assert len(smtp.got) == 1


def test_a_refusing_mail_server_ends_it_at_once(workspace, smtp):
    smtp.answers = ["554 No"]
    message = write(workspace)
    assert deliver.deliver_due() == 1
    message.refresh_from_db()
    assert (message.state, message.sent_at) == ("failed", None)
    assert "554" in message.error


def test_an_absent_mail_server_is_tried_ten_times_with_longer_waits(workspace, settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", 1
    message = write(workspace)
    settings.OUTBOX_RETRY_SECONDS = 15.0
    waits = []
    for _ in range(deliver.MAX_ATTEMPTS):
        Message.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
        assert deliver.deliver_due() == 1
        message.refresh_from_db()
        waits.append((message.next_try_at - timezone.now()).total_seconds())
    assert (message.state, message.attempts) == ("failed", 10)
    assert "Given up after 10 attempts" in message.error
    assert 10 < waits[0] <= 15
    assert waits[7] > 1800 > waits[6] > 900 > waits[5]
    assert deliver.deliver_due() == 0


@given(text=st.text(max_size=60), breaks=st.sampled_from(["\r\n", "\n", "\r", "\u2028", "\x00\n"]))
@hypothesis_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_name_begins_a_header_of_its_own(workspace, settings, text, breaks):
    """Whatever a name holds: the mail leaves with our headers and only the receivers we named."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    django_mail.outbox = []
    Message.objects.all().delete()
    message = write(
        workspace,
        subject=f"Model {text}{breaks}Bcc: evil@example.com{breaks}{breaks}body",
        context={"name": text},
        dedupe_key="k",
    )
    deliver.deliver_due()
    message.refresh_from_db()
    assert message.state == "sent", message.error
    (sent,) = django_mail.outbox
    parsed = email.message_from_bytes(sent.message().as_bytes(), policy=email.policy.default)
    assert parsed["Bcc"] is None
    assert sent.recipients() == ["ada@example.com"]


# Webhooks


def test_a_webhook_is_signed_and_verifies(workspace, serve, opened):
    server = serve(respond())
    opened(server)
    message = call(workspace, server.url("/hook"), payload={"name": "Zoë"})
    assert SECRET not in message.sealed_secret
    assert secrets.unseal(message.sealed_secret) == SECRET

    deliver.deliver_due()

    message.refresh_from_db()
    assert message.state == "sent"
    assert message.sealed_secret == "spent"
    (raw,) = server.requests
    head, _, body = raw.partition(b"\r\n\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])
    }
    assert json.loads(body) == {"type": "alert.opened", "data": {"name": "Zoë"}}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == message.message_id.strip("<>")
    assert abs(int(headers["webhook-timestamp"]) - timezone.now().timestamp()) < 30


@pytest.mark.parametrize(
    ("status", "state", "attempts"),
    [
        ("204 No Content", "sent", 1),
        ("302 Found", "failed", 1),
        ("404 Not Found", "failed", 1),
        ("410 Gone", "failed", 1),
        ("429 Too Many Requests", "failed", 10),
        ("500 Internal Server Error", "failed", 10),
    ],
)
def test_what_a_receivers_answer_means(workspace, serve, opened, status, state, attempts):
    body = b"" if status.startswith("204") else b"inner secret"
    server = serve(respond(status, body))
    opened(server)
    message = call(workspace, server.url())
    deliver.deliver_due()
    message.refresh_from_db()
    assert (message.state, message.attempts) == (state, attempts)
    assert len(server.requests) == attempts
    assert "inner secret" not in message.error


def test_a_webhook_to_a_closed_address_is_refused_and_recorded(workspace, serve, settings):
    settings.OUTBOUND_ALLOW = ""
    server = serve(respond())
    message = call(workspace, server.url())
    deliver.deliver_due()
    message.refresh_from_db()
    assert (message.state, message.attempts) == ("failed", 1)
    assert server.requests == []
    assert recorded_actions() == [Action.ADDRESS_REFUSED]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"secret": "short"}, Invalid),
        ({"payload": {"x": float("nan")}}, Invalid),
        ({"payload": {"x": object()}}, Invalid),
        ({"payload": {"x": "y" * 300_000}}, Invalid),
        ({"url": "ftp://example.com/"}, AddressRefused),
        ({"url": "http://user:pw@example.com/"}, AddressRefused),
    ],
)
def test_a_bad_webhook_is_refused_when_written(workspace, change, error):
    with pytest.raises(error):
        call(workspace, **{"url": "https://hooks.example.com/1", **change})
    assert Message.objects.count() == 0


def test_a_secret_no_key_opens_ends_it(workspace, settings):
    from cryptography.fernet import Fernet

    message = call(workspace, "https://hooks.example.com/1")
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    deliver.deliver_due()
    message.refresh_from_db()
    assert message.state == "failed"


def test_an_older_key_still_opens_a_secret(settings):
    from cryptography.fernet import Fernet

    sealed = secrets.seal("x")
    settings.FIELD_KEYS = [Fernet.generate_key().decode(), *settings.FIELD_KEYS]
    assert secrets.unseal(sealed) == "x"


# Two deliverers, and the one that slept


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_deliverers_at_a_barrier_send_each_message_once(workspace, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    django_mail.outbox = []
    for n in range(20):
        write(workspace, dedupe_key=f"k{n}", subject=f"Mail {n}")
    barrier = threading.Barrier(4)

    def deliverer() -> None:
        barrier.wait()
        try:
            deliver.deliver_due()
        finally:
            connection.close()

    threads = [threading.Thread(target=deliverer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(mail.subject for mail in django_mail.outbox) == sorted(
        f"Mail {n}" for n in range(20)
    )
    assert set(Message.objects.values_list("state", "attempts")) == {("sent", 1)}


def test_a_deliverer_that_slept_past_its_lease_writes_nothing(workspace, monkeypatch):
    message = write(workspace)

    def slept(late):
        Message.objects.filter(pk=late.pk).update(attempts=late.attempts + 1)  # another's turn
        raise deliver.Undeliverable("late")

    monkeypatch.setattr(deliver, "_send_mail", slept)
    deliver.deliver_due()
    message.refresh_from_db()
    assert (message.state, message.error) == ("queued", "")


@pytest.mark.parametrize(
    "change",
    [{"to": []}, {"url": "http://x"}, {"state": "sent"}, {"sent_at": timezone.now()}],
)
def test_the_database_keeps_a_message_whole(change):
    message = MessageFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.filter(pk=message.pk).update(**change)


# By page and API


def test_the_page_shows_the_outbox_of_its_workspace_only(workspace, client_for):
    MessageFactory(workspace=workspace, subject="<b>Ours</b>", state="failed", error="No server.")
    MessageFactory(workspace=workspace, subject="Waiting")
    MessageFactory(subject="Foreign")
    client = client_for("administrator")
    url = reverse("outbound:message-list")

    page = client.get(url).content.decode().replace("\xa0", " ")

    assert "&lt;b&gt;Ours" in page
    assert "No server." in page
    assert "Foreign" not in page
    assert "1 message waits to be delivered; 1 message could not be delivered" in page
    assert "Waiting" not in client.get(url + "?state=failed").content.decode()
    assert client.get(url + "?state=nonsense").status_code == 200


def test_the_page_asks_as_often_for_12_messages_as_for_2(workspace, client_for):
    from django.test.utils import CaptureQueriesContext

    client = client_for("administrator")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(reverse("outbound:message-list")).status_code == 200
        return len(seen)

    MessageFactory.create_batch(2, workspace=workspace)
    queries()
    few = queries()
    MessageFactory.create_batch(10, workspace=workspace)
    assert queries() == few


def test_the_api_shows_the_outbox_without_bodies(workspace, api):
    MessageFactory(workspace=workspace, body="for its receivers only")
    answer = api("administrator").get("/api/v1/outbound/messages")
    assert len(answer.json()["results"]) == 1
    assert "for its receivers only" not in answer.content.decode()
    assert api("viewer").get("/api/v1/outbound/messages").status_code == 403
