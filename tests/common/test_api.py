"""The API's conventions: problems, strict JSON, strict fields."""

from __future__ import annotations

import io
import json

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework import serializers
from rest_framework.exceptions import ParseError

from common import errors
from common.api import exceptions
from common.api.parsers import MAX_DEPTH, PayloadTooLarge, StrictJSONParser
from common.api.serializers import StrictSerializer


def parse(raw):
    return StrictJSONParser().parse(io.BytesIO(raw if isinstance(raw, bytes) else raw.encode()))


def test_plain_json_is_read():
    assert parse('{"a": [1, 2.5, null, "ä\\n"]}') == {"a": [1, 2.5, None, "ä\n"]}


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        '{"a": NaN}',
        '{"a": Infinity}',
        "-Infinity",
        b'{"a": "\xff"}',
        '{"a": "\\u0000"}',
        '{"\\u0000": 1}',
        '{"a": "\\ud800"}',
        "[" * 100_000,
        "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2),
        '{"a":' * 60 + "1" + "}" * 60,
    ],
)
def test_bad_json_is_a_parse_error(raw):
    with pytest.raises(ParseError):
        parse(raw)


def test_a_body_has_a_cap(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    assert parse('"' + "x" * 98 + '"') == "x" * 98
    with pytest.raises(PayloadTooLarge):
        parse('"' + "x" * 99 + '"')


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.DomainError("x"), 400),
        (errors.Invalid("x"), 400),
        (errors.TooLarge("x"), 413),
        (errors.NotAllowed("x"), 403),
        (errors.NotFound("x"), 404),
        (errors.Conflict("x"), 409),
        (errors.InvalidTransition("x"), 409),
        (errors.AlreadyExists("x"), 409),
        (errors.Blocked("x"), 409),
        (errors.Unavailable("x"), 503),
    ],
)
def test_each_domain_error_has_its_status(error, status):
    answer = exceptions.handler(error, {})

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.data["status"] == status
    assert answer.data["type"] == f"urn:countersign:problem:{error.code}"
    assert answer.data["detail"] == "x"


def test_a_problem_carries_fields_and_more():
    error = errors.Blocked("No.", code="gate", fields={"a": ["b"]}, reasons=["r"])

    body = exceptions.handler(error, {}).data

    assert (body["code"], body["errors"], body["reasons"]) == ("gate", {"a": ["b"]}, ["r"])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Http404("secret detail"), 404),
        (PermissionDenied("secret detail"), 403),
        (drf.NotAuthenticated(), 401),
        (drf.MethodNotAllowed("PUT"), 405),
        (drf.UnsupportedMediaType("x/y"), 415),
        (drf.Throttled(wait=7), 429),
    ],
)
def test_frameworks_errors_are_problems_too(error, status):
    answer = exceptions.handler(error, {})

    assert answer.status_code == status
    assert "secret" not in json.dumps(answer.data)
    assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)


def test_a_validation_error_names_its_fields():
    answer = exceptions.handler(drf.ValidationError({"a": ["bad"], "b": [{"c": ["worse"]}]}), {})

    assert answer.data["code"] == "invalid"
    assert answer.data["detail"] == "a: bad; b: worse"
    assert answer.data["errors"]["a"] == ["bad"]


def test_a_bug_stays_a_bug():
    assert exceptions.handler(ZeroDivisionError(), {}) is None


class NameIn(StrictSerializer):
    name = serializers.CharField(max_length=5)


def test_an_unknown_field_is_an_error_by_name():
    given = NameIn(data={"name": "a", "nmae": "b", "x" * 500: 1})

    assert not given.is_valid()
    assert set(given.errors) == {"nmae", "x" * 100}


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_something_else_than_an_object_is_an_error(data):
    assert not NameIn(data=data).is_valid()


def test_known_fields_pass():
    given = NameIn(data={"name": "abc"})

    assert given.is_valid()
    assert given.validated_data == {"name": "abc"}
