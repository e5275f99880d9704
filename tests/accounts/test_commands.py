"""``api_token`` and ``demo_people``."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import ApiToken, Membership, User, Workspace
from accounts.services import demo_people, tokens
from audit.actions import Action
from common.errors import NotAllowed
from tests.factories import accounts

pytestmark = pytest.mark.django_db


def run(*args):
    out, err = io.StringIO(), io.StringIO()
    call_command(*args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_persons_token_is_printed_alone(person, recorded_actions):
    person("requester", email="jun@example.com")

    out, _ = run("api_token", "Jun@Example.com", "--scope", "read", "registry:write", "--days", "7")

    token = tokens.authenticate(out.strip())
    assert token is not None
    assert token.scopes == ["read", "registry:write"]
    assert recorded_actions() == [Action.TOKEN_CREATED]


def test_a_service_accounts_token(workspace):
    accounts.ServiceAccountFactory(workspace=workspace, name="ci")

    out, _ = run("api_token", "ci", "--scope", "read", "--scope", "metrics")

    assert tokens.authenticate(out.strip()).scopes == ["metrics", "read"]


@pytest.mark.parametrize(
    "args",
    [
        ("nobody@example.com", "--scope", "read"),
        ("nothing", "--scope", "read"),
        ("jun@example.com", "--scope", "read", "--days", "91"),
        ("jun@example.com", "--scope", "read", "--workspace", "other"),
        ("jun@example.com", "--scope", "everything"),
        ("jun@example.com",),
    ],
)
def test_a_wrong_call_says_so_and_makes_nothing(person, args):
    person("requester", email="jun@example.com")

    with pytest.raises(CommandError):
        run("api_token", *args)

    assert not ApiToken.objects.exists()


def test_a_person_of_several_workspaces_names_one(person):
    user = person("requester", email="jun@example.com")
    accounts.MembershipFactory(user=user, workspace=accounts.WorkspaceFactory(slug="other"))

    with pytest.raises(CommandError, match="acme, other"):
        run("api_token", user.email, "--scope", "read")
    out, _ = run("api_token", user.email, "--scope", "read", "--workspace", "other")

    assert tokens.authenticate(out.strip()).workspace.slug == "other"


def test_the_demos_people_sign_in_with_fresh_passwords(db):
    first = json.loads(run("demo_people")[0])
    again = json.loads(run("demo_people")[0])

    assert Workspace.objects.get().name == "Flight operations"
    assert {p["email"]: p["roles"] for p in again} == {
        "ada@demo.example": ["validator"],
        "ines@demo.example": ["risk_officer"],
        "lena@demo.example": ["business_owner"],
        "jun@demo.example": ["model_owner", "requester"],
        "sam@demo.example": ["operator"],
        "omar@demo.example": ["auditor"],
        "max@demo.example": ["administrator"],
    }
    assert User.objects.count() == 7
    assert Membership.objects.count() == 8
    client = Client()
    for person, status in ((first[0], 200), (again[0], 302)):
        form = {"login": person["email"], "password": person["password"]}
        assert client.post("/accounts/login/", form).status_code == status


def test_a_refresh_ends_old_sessions_and_opens_closed_people(db):
    person = demo_people.refresh()[0]
    client = Client()
    client.post("/accounts/login/", {"login": person["email"], "password": person["password"]})
    assert client.get("/api/v1/me").status_code == 200
    User.objects.update(is_active=False)

    demo_people.refresh()

    assert client.get("/api/v1/me").status_code == 401
    assert User.objects.filter(is_active=True).count() == 7


def test_there_are_no_demo_people_in_production(settings, db):
    settings.DEMO_ALLOWED = False

    with pytest.raises(NotAllowed):
        demo_people.refresh()
    with pytest.raises(CommandError):
        run("demo_people")

    assert not User.objects.exists()
    assert not Workspace.objects.exists()


def test_production_settings_do_not_allow_it():
    from pathlib import Path

    text = (Path(__file__).parents[2] / "config" / "settings" / "prod.py").read_text()

    assert "DEMO_ALLOWED = False" in text
