"""The account pages: forms that work, refusals beside them, lists that cost the same when long."""

from __future__ import annotations

import re

import pytest

from accounts import selectors
from accounts.models import ApiToken, ServiceAccount, User
from accounts.services import tokens
from audit.actions import Action
from tests.factories import accounts

pytestmark = pytest.mark.django_db

TOKEN = re.compile(r'id="new-token"[^>]*>(cs_[^<]+)<')


@pytest.fixture
def administrator(client_for):
    return client_for("administrator")


def test_a_token_is_shown_on_one_answer_only(client_for, recorded_actions):
    client = client_for("model_owner")

    answer = client.post(
        "/accounts/profile/tokens/",
        {"name": "notebook", "scopes": ["read", "registry:write"], "days": "30"},
    )

    assert answer.status_code == 201
    assert "no-store" in answer["Cache-Control"]
    text = TOKEN.search(answer.content.decode())[1]
    assert tokens.authenticate(text).name == "notebook"
    after = client.get("/accounts/profile/").content.decode()
    assert "notebook" in after
    assert text not in after
    assert recorded_actions() == [Action.TOKEN_CREATED]


def test_a_bad_token_form_says_why(client_for, recorded_actions):
    client = client_for("model_owner")

    answer = client.post(
        "/accounts/profile/tokens/", {"name": "x" * 101, "scopes": ["king"], "days": "91"}
    )

    assert answer.status_code == 422
    assert set(answer.context["token_form"].errors) == {"name", "scopes", "days"}
    assert not ApiToken.objects.exists()
    assert recorded_actions() == []


def test_a_token_is_revoked_from_the_page(client_for, workspace, person):
    user = person("viewer")
    row, text = accounts.token(workspace, user=user)
    client = client_for(user)

    assert client.post(f"/accounts/profile/tokens/{row.key_id}/revoke/").status_code == 302
    assert tokens.authenticate(text) is None
    assert client.post(f"/accounts/profile/tokens/{row.key_id}/revoke/").status_code == 409
    assert "Revoked" in client.get("/accounts/profile/").content.decode()


def test_anothers_token_is_not_there(client_for, workspace, person):
    row, text = accounts.token(workspace, user=person("viewer"))

    answer = client_for("viewer").post(f"/accounts/profile/tokens/{row.key_id}/revoke/")

    assert answer.status_code == 404
    assert tokens.authenticate(text) is not None


def test_the_profile_escapes_what_people_typed(client_for, person):
    client = client_for(person("viewer", name="<b>Ada</b>"))
    client.post(
        "/accounts/profile/tokens/",
        {"name": '"><script>x</script>', "scopes": ["read"], "days": "1"},
    )

    page = client.get("/accounts/profile/").content.decode()

    assert "<script>x" not in page
    assert "<b>Ada" not in page


def test_an_administrator_adds_a_person(administrator, workspace, recorded_actions):
    answer = administrator.post(
        "/accounts/people/add/",
        {"email": "new@example.com", "name": "New", "role": "validator"},
        follow=True,
    )

    assert "New is validator now." in answer.content.decode()
    user = User.objects.get(email="new@example.com")
    assert selectors.roles_of(user, workspace) == {"validator"}
    assert recorded_actions() == [Action.PERSON_CREATED, Action.ROLE_GRANTED]


def test_roles_are_given_and_taken_with_a_question(administrator, workspace, person):
    user = person("viewer", name="Ben")
    page = administrator.get("/accounts/people/").content.decode()
    assert page.count("data-confirm=") >= 3

    url = f"/accounts/people/{user.pid}"
    assert administrator.post(f"{url}/grant/", {"role": "auditor"}).status_code == 302
    assert selectors.roles_of(user, workspace) == {"viewer", "auditor"}
    assert administrator.post(f"{url}/grant/", {"role": "auditor"}).status_code == 409
    assert administrator.post(f"{url}/revoke/", {"role": "viewer"}).status_code == 302
    assert administrator.post(f"{url}/revoke/", {"role": "viewer"}).status_code == 409
    assert administrator.post(f"{url}/grant/", {"role": "king"}).status_code == 422
    assert selectors.roles_of(user, workspace) == {"auditor"}


def test_an_administrator_gives_themself_no_role(client_for, person, workspace):
    user = person("administrator")

    answer = client_for(user).post(f"/accounts/people/{user.pid}/grant/", {"role": "validator"})

    assert answer.status_code == 409
    assert "Nobody gives a role to themself" in answer.content.decode()
    assert selectors.roles_of(user, workspace) == {"administrator"}


def test_a_person_is_deactivated_from_the_page(administrator, person, client_for):
    user = person("operator")
    browser = client_for(user)

    assert administrator.post(f"/accounts/people/{user.pid}/deactivate/").status_code == 302
    assert browser.get("/api/v1/me").status_code == 401
    assert administrator.post(f"/accounts/people/{user.pid}/deactivate/").status_code == 409
    assert "Deactivated" in administrator.get("/accounts/people/").content.decode()


def test_a_service_account_and_its_token_are_made_from_the_page(administrator, person):
    user = person("requester")
    made = administrator.post(
        "/accounts/service-accounts/add/",
        {"name": "ci", "responsible": user.pk, "roles": ["requester"]},
    )
    assert made.status_code == 302
    account = ServiceAccount.objects.get()

    answer = administrator.post(
        f"/accounts/service-accounts/{account.pid}/tokens/",
        {"name": "pipeline", "scopes": ["read"], "days": "90"},
    )

    assert answer.status_code == 201
    text = TOKEN.search(answer.content.decode())[1]
    assert tokens.authenticate(text).service_account == account


def test_a_service_account_gets_no_signing_role_from_the_page(administrator, person):
    answer = administrator.post(
        "/accounts/service-accounts/add/",
        {"name": "ci", "responsible": person("requester").pk, "roles": ["validator"]},
    )

    assert answer.status_code == 422
    assert not ServiceAccount.objects.exists()


def test_a_stranger_cannot_be_chosen_to_answer(administrator):
    answer = administrator.post(
        "/accounts/service-accounts/add/",
        {"name": "ci", "responsible": accounts.UserFactory().pk, "roles": ["requester"]},
    )

    assert answer.status_code == 422


@pytest.mark.parametrize("url", ["/accounts/people/", "/api/v1/people", "/api/v1/tokens"])
def test_a_long_list_costs_no_more_queries(
    administrator, workspace, django_assert_max_num_queries, url
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def grow(n):
        for _ in range(n):
            user = accounts.person(workspace, "viewer", "auditor")
            accounts.token(workspace, user=user)
            accounts.ServiceAccountFactory(workspace=workspace, responsible=user)

    grow(2)
    administrator.get(url)
    with CaptureQueriesContext(
        connection,
    ) as few:
        administrator.get(url)
    grow(10)
    with CaptureQueriesContext(connection) as many:
        administrator.get(url)

    assert len(many) == len(few)


def test_people_are_paged(administrator, workspace):
    for _ in range(55):
        accounts.person(workspace, "viewer")

    first = administrator.get("/accounts/people/")
    second = administrator.get("/accounts/people/?page=2")

    assert len(first.context["rows"]) == 50
    assert len(second.context["rows"]) == 6
    assert administrator.get("/accounts/people/?page=x").status_code == 200


def test_ids_on_the_people_page_are_unique(administrator, workspace):
    for _ in range(3):
        accounts.ServiceAccountFactory(workspace=workspace)

    page = administrator.get("/accounts/people/").content.decode()
    ids = re.findall(r'\sid="([^"]+)"', page)

    assert sorted({one for one in ids if ids.count(one) > 1}) == []


def test_the_form_offers_every_scope():
    from accounts.forms import SCOPES
    from accounts.roles import Scope

    assert [value for value, _ in SCOPES] == list(Scope)
    assert all(label.startswith(f"{value}: ") for value, label in SCOPES)
