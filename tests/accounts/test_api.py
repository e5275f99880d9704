"""The accounts' part of the REST API."""

from __future__ import annotations

import json

import pytest

from accounts.models import ApiToken, ServiceAccount
from accounts.services import tokens
from audit.actions import Action
from tests.factories import accounts

pytestmark = pytest.mark.django_db


def post(client, path, body):
    return client.post(path, json.dumps(body), content_type="application/json")


def test_me_for_a_person_and_a_machine(api, service_api, workspace):
    person = api("validator", scopes=["read"])
    machine = service_api("requester", name="ci", scopes=["read"])

    mine, its = person.get("/api/v1/me").json(), machine.get("/api/v1/me").json()

    assert mine["kind"] == "person"
    assert mine["scopes"] == ["read"]
    assert mine["workspace"] == {"slug": "acme", "name": "Acme"}
    assert (its["kind"], its["name"], its["email"]) == ("service_account", "ci", "")
    assert its["roles"] == ["requester"]


def test_a_session_makes_a_token_and_sees_it_once(client_for, recorded_actions):
    client = client_for("requester")

    answer = post(client, "/api/v1/tokens", {"name": "x", "scopes": ["read"], "days": 1})

    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    assert tokens.authenticate(answer.json()["token"]) is not None
    listed = client.get("/api/v1/tokens").json()["results"]
    assert [row["name"] for row in listed] == ["x"]
    assert "token" not in listed[0]
    assert recorded_actions() == [Action.TOKEN_CREATED]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x", "scopes": [], "days": 1}, "scopes"),
        ({"name": "x", "scopes": ["king"], "days": 1}, "scopes"),
        ({"name": "x", "scopes": "read", "days": 1}, "scopes"),
        ({"name": "x", "scopes": ["read"], "days": 91}, "days"),
        ({"name": "x" * 10_000_00, "scopes": ["read"], "days": 1}, "name"),
        ({"name": "x", "scopes": ["read"], "days": 1, "expires_at": "2099-01-01"}, "expires_at"),
        ({"name": "x", "scopes": ["read"], "days": 1, "user": 1}, "user"),
        ({"name": "x\u0000", "scopes": ["read"]}, None),
        ([], None),
        ("x", None),
    ],
)
def test_a_bad_token_request_is_400_by_field(client_for, recorded_actions, body, field):
    answer = post(client_for("requester"), "/api/v1/tokens", body)

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    if field:
        assert field in answer.json()["errors"]
    assert not ApiToken.objects.exists()
    assert recorded_actions() == []


def test_people_see_their_own_tokens_and_administrators_all(client_for, person, workspace):
    ada = person("viewer")
    accounts.token(workspace, user=ada, name="hers")
    account = accounts.ServiceAccountFactory(workspace=workspace)
    accounts.token(workspace, service_account=account, name="its")

    def names(client):
        return sorted(row["name"] for row in client.get("/api/v1/tokens").json()["results"])

    assert names(client_for(ada)) == ["hers"]
    assert names(client_for("viewer")) == []
    assert names(client_for("administrator")) == ["hers", "its"]


def test_a_service_account_sees_and_ends_its_own_tokens_only(service_api, workspace):
    client = service_api("requester")
    account = client.token.service_account
    accounts.MembershipFactory(workspace=workspace, user=account.responsible, role="viewer")
    theirs, _ = accounts.token(workspace, user=account.responsible)

    listed = client.get("/api/v1/tokens").json()["results"]
    assert [row["key_id"] for row in listed] == [client.token.key_id]
    assert client.post(f"/api/v1/tokens/{theirs.key_id}/revoke").status_code == 404
    assert client.post(f"/api/v1/tokens/{client.token.key_id}/revoke").status_code == 200
    assert client.get("/api/v1/me").status_code == 401


def test_one_token_does_not_end_another(api, workspace):
    client = api("viewer")
    other, _ = accounts.token(workspace, user=client.token.user)

    assert client.post(f"/api/v1/tokens/{other.key_id}/revoke").status_code == 404
    other.refresh_from_db()
    assert other.revoked_at is None


def test_people_with_their_roles(client_for, person):
    person("validator", "operator", email="ada@example.com", name="Ada")

    rows = client_for("administrator").get("/api/v1/people").json()["results"]

    ada = next(row for row in rows if row["email"] == "ada@example.com")
    assert ada["roles"] == ["operator", "validator"]
    assert set(ada) == {"pid", "email", "name", "is_active", "roles"}


def test_a_service_account_is_made(client_for, person, recorded_actions):
    user = person("requester", email="jun@example.com")
    client = client_for("administrator")

    answer = post(
        client,
        "/api/v1/service-accounts",
        {"name": "ci", "responsible": "JUN@example.com", "roles": ["requester"]},
    )

    assert answer.status_code == 201
    assert answer.json()["responsible"] == user.pid
    token = post(
        client,
        "/api/v1/tokens",
        {"name": "x", "scopes": ["read"], "service_account": answer.json()["pid"]},
    )
    assert token.json()["holder"] == answer.json()["pid"]
    assert recorded_actions() == [Action.SERVICE_ACCOUNT_CREATED, Action.TOKEN_CREATED]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"roles": ["validator"]}, "roles"),
        ({"roles": []}, "roles"),
        ({"responsible": "stranger@example.com"}, "responsible"),
        ({"name": ""}, "name"),
        ({"is_active": False}, "is_active"),
    ],
)
def test_a_bad_service_account_is_400_by_field(client_for, person, changes, field):
    person("requester", email="jun@example.com")
    body = {"name": "ci", "responsible": "jun@example.com", "roles": ["requester"], **changes}

    answer = post(client_for("administrator"), "/api/v1/service-accounts", body)

    assert answer.status_code == 400
    assert field in answer.json()["errors"]
    assert not ServiceAccount.objects.exists()


def test_a_taken_name_is_409(client_for, person, workspace):
    person("requester", email="jun@example.com")
    accounts.ServiceAccountFactory(workspace=workspace, name="ci")

    answer = post(
        client_for("administrator"),
        "/api/v1/service-accounts",
        {"name": "ci", "responsible": "jun@example.com", "roles": ["requester"]},
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")


def test_the_schema_is_made_once_and_is_the_same_for_everybody(client_for, monkeypatch):
    first = client_for("viewer").get("/api/v1/schema/")
    monkeypatch.setattr(
        "drf_spectacular.generators.SchemaGenerator.get_schema", lambda *args, **kwargs: 1 / 0
    )

    second = client_for("operator").get("/api/v1/schema/?version=v2")

    assert second.content == first.content
    assert b"/api/v1/models" in first.content


def test_the_schema_needs_a_caller_and_errors_are_json(client, client_for):
    closed = client.get("/api/v1/schema/")

    assert closed.status_code == 401
    assert closed.json()["code"] == "not_authenticated"
    assert "openapi" in client_for("viewer").get("/api/v1/schema/").content.decode()
