"""Request ids, health, error pages, log lines, ids."""

from __future__ import annotations

import json
import logging
import time
from uuid import UUID

import pytest
from django.db import DatabaseError
from django.test import Client

from common.ids import uuid7
from common.logs import JsonFormatter, RequestIdFilter


def test_ids_sort_by_the_time_they_were_made():
    first = uuid7()
    time.sleep(0.002)  # the clock's resolution is a millisecond
    second = uuid7()

    assert first < second
    assert {first.version, second.version} == {7}
    assert first.variant == "specified in RFC 4122"
    assert abs((first.int >> 80) / 1000 - time.time()) < 5
    assert len({uuid7() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("given", ["abc-1", "A.b_c-9", "x" * 64])
def test_a_request_id_is_taken(client, given):
    assert client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a;b", "ä", "<b>"])
def test_or_made(client, given):
    made = client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"]

    assert UUID(made).version == 7


def test_health_needs_no_database_and_readiness_says_why_not(client, db, monkeypatch):
    from common import views

    class Down:
        def cursor(self):
            raise DatabaseError("down")

    assert client.get("/healthz").content == b"ok\n"
    assert client.get("/readyz").status_code == 200

    monkeypatch.setattr(views, "connection", Down())
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, b"down" in answer.content) == (503, False)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_not_kept_by_caches_and_only_read(client, db, path):
    assert "no-store" in client.get(path)["Cache-Control"]
    assert client.post(path).status_code == 405


@pytest.mark.django_db
def test_a_missing_page_speaks_the_language_of_its_path(client_for):
    client = client_for("viewer")

    page, problem = client.get("/no/such/page/"), client.get("/api/v1/nothing")

    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert (problem.status_code, problem["Content-Type"]) == (404, "application/problem+json")
    assert problem.json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/readyz", "/w/acme/readyz"])
def test_an_error_page_tells_nothing(monkeypatch, db, path):
    from common import views

    class Broken:
        def cursor(self):
            return 1 / 0

    monkeypatch.setattr(views, "connection", Broken())

    answer = Client(raise_request_exception=False).get(path)

    assert answer.status_code == 500
    assert b"ZeroDivision" not in answer.content
    assert b"Traceback" not in answer.content


@pytest.mark.django_db
def test_pages_carry_their_security_headers(client):
    answer = client.get("/accounts/login/")
    policy = answer["Content-Security-Policy"]

    for directive in (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ):
        assert directive in policy
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


def line(message, *args, **more):
    record = logging.LogRecord("a.b", logging.INFO, __file__, 1, message, args, None)
    RequestIdFilter().filter(record)
    return JsonFormatter().format(record)


def test_a_log_line_is_one_json_object_whatever_the_message():
    text = line("name is %s", 'x\n{"level": "INFO", "message": "forged"}')

    assert "\n" not in text
    body = json.loads(text)
    assert body["message"].startswith("name is x\n")
    assert body["request_id"] == "-"
    assert body["level"] == "INFO"
