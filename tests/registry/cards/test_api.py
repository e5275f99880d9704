"""Model cards over REST."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.models import CardRevision
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory
from tests.factories.registry_cards import WHOLE, CardRevisionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(workspace):
    model = RegisteredModelFactory(workspace=workspace, name="credit risk", tier=1)
    ModelVersionFactory(model=model)
    return "/api/v1/models/credit risk/versions/1/card"


def test_a_version_without_a_card_says_what_is_asked_for(url, api):
    answer = api("viewer").get(url)

    body = answer.json()
    assert answer["ETag"] == '"0"'
    assert (body["revision"], body["sections"], body["edited_by"]) == (0, {}, None)
    assert "encryption" in body["required"]
    assert "the section “Encryption of the artifact”" in body["missing"]
    assert body["is_complete"] is False


def test_write_read_and_write_on_top(url, api):
    owner = api("model_owner")

    first = owner.put(url, {"sections": {"summary": "# One"}, "revision": 0})
    assert (first.status_code, first["ETag"]) == (200, '"1"')
    second = owner.put(url, {"sections": WHOLE}, headers={"If-Match": first["ETag"]})

    assert second.json()["revision"] == 2
    assert second.json()["is_complete"] is True
    assert api("viewer").get(url).json() == second.json()
    history = api("viewer").get(f"{url}/revisions").json()["results"]
    assert [(it["revision"], it["sections"].get("summary")) for it in history] == [
        (2, "About summary."),
        (1, "# One"),
    ]


@pytest.mark.parametrize("by", ["body", "header"])
def test_a_lost_update_is_a_conflict(url, api, by):
    owner = api("model_owner")
    owner.put(url, {"sections": {"summary": "One"}, "revision": 0})

    body = {"sections": {"summary": "Two"}}
    if by == "body":
        answer = owner.put(url, {**body, "revision": 0})
    else:
        answer = owner.put(url, body, headers={"If-Match": 'W/"0"'})

    assert answer.status_code == 409
    assert (answer.json()["code"], answer.json()["current"]) == ("card_changed", 1)
    assert CardRevision.objects.get().sections == {"summary": "One"}


@pytest.mark.parametrize(
    ("body", "headers", "field"),
    [
        ({"sections": {"summary": "x"}}, {}, "revision"),
        ({"sections": {"summary": "x"}}, {"If-Match": "*"}, "If-Match"),
        ({"sections": {"summary": "x"}, "revision": 1}, {"If-Match": '"0"'}, "revision"),
        ({"sections": {"summary": "x"}, "revision": -1}, {}, "revision"),
        ({"sections": {"summary": 1.5}, "revision": True}, {}, "revision"),
        ({"sections": {"summary": ["x"]}, "revision": 0}, {}, "sections"),
        ({"sections": {"summary": "x" * 10_001}, "revision": 0}, {}, "sections"),
        ({"sections": {"nope": "x"}, "revision": 0}, {}, "sections"),
        ({"sections": {}, "revision": 0}, {}, "sections"),
        ({"sections": "x", "revision": 0}, {}, "sections"),
        ({"revision": 0}, {}, "sections"),
        ({"sections": {"summary": "x"}, "revision": 0, "author": "me"}, {}, "author"),
    ],
)
def test_a_bad_body_is_refused_in_words(url, api, body, headers, field):
    answer = api("model_owner").put(url, body, headers=headers)

    assert answer.status_code == 400
    assert field in answer.json()["errors"]
    assert not CardRevision.objects.exists()


def test_reading_is_not_writing(url, api):
    refused = api("validator").put(url, {"sections": {"summary": "x"}, "revision": 0})
    assert refused.status_code == 403
    assert api("model_owner", scopes=["read"]).put(url, {}).status_code == 403
    assert api("viewer").get(url.replace("/1/", "/9/")).status_code == 404


def test_the_list_of_revisions_asks_the_same_for_many(url, api, workspace):
    version = workspace.models.get().versions.get()
    client = api("viewer")
    client.get(f"{url}/revisions")
    counts = []
    for upto in (2, 12):
        for number in range(CardRevision.objects.count() + 1, upto + 1):
            CardRevisionFactory(version=version, number=number)
        with CaptureQueriesContext(connection) as queries:
            assert len(client.get(f"{url}/revisions").json()["results"]) == upto
        counts.append(len(queries))
    assert counts[0] == counts[1]
