"""From a request to a caller: sessions, workspaces in paths, isolation, CSRF, hosts."""

from __future__ import annotations

import pytest
from django.urls import get_script_prefix

from tests.factories import accounts

pytestmark = pytest.mark.django_db


def test_a_session_with_one_workspace_need_not_name_it(client_for, workspace):
    answer = client_for("validator", "operator").get("/api/v1/me")

    assert answer.json()["workspace"]["slug"] == workspace.slug
    assert answer.json()["roles"] == ["operator", "validator"]
    assert answer.json()["scopes"] is None


def test_a_session_with_several_has_to_name_one(client_for, person, workspace):
    user = person("validator")
    accounts.MembershipFactory(
        user=user, workspace=accounts.WorkspaceFactory(slug="other"), role="operator"
    )
    client = client_for(user)

    api = client.get("/api/v1/me")
    assert (api.status_code, api.json()["code"]) == (400, "workspace_required")
    page = client.get("/accounts/profile/?tab=1")
    assert page.status_code == 302
    assert page["Location"] == "/accounts/workspaces/?next=%2Faccounts%2Fprofile%2F%3Ftab%3D1"
    chooser = client.get(page["Location"]).content.decode()
    assert 'href="/w/acme/accounts/profile/?tab=1"' in chooser
    assert 'href="/w/other/accounts/profile/?tab=1"' in chooser
    assert client.get("/w/other/api/v1/me").json()["roles"] == ["operator"]
    assert client.get("/w/acme/api/v1/me").json()["roles"] == ["validator"]


def test_the_chooser_leads_nowhere_else(client_for):
    client = client_for("viewer")

    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil"):
        page = client.get("/accounts/workspaces/", {"next": target}).content.decode()

        assert "evil" not in page
        assert 'href="/w/acme/"' in page


def test_somebody_without_a_role_is_led_to_the_chooser(client_for):
    client = client_for(accounts.UserFactory())

    assert client.get("/accounts/profile/")["Location"].startswith("/accounts/workspaces/")
    assert "hold no role" in client.get("/accounts/workspaces/").content.decode()
    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (403, "no_workspace")


def test_a_foreign_workspace_and_none_answer_alike(client_for, api):
    accounts.WorkspaceFactory(slug="secret")
    client, token = client_for("administrator"), api("administrator")

    for path in ("/accounts/profile/", "/api/v1/me", "/accounts/login/"):
        there = client.get(f"/w/secret{path}")
        nowhere = client.get(f"/w/nowhere{path}")
        assert there.status_code == nowhere.status_code == 404
    for slug in ("secret", "nowhere"):
        assert token.get(f"/w/{slug}/api/v1/me").status_code == 404
    assert token.get("/w/acme/api/v1/me").status_code == 200


def test_an_anonymous_caller_learns_nothing_about_slugs(client):
    accounts.WorkspaceFactory(slug="secret")

    answers = [client.get(f"/w/{slug}/accounts/profile/") for slug in ("secret", "nowhere")]

    assert {answer.status_code for answer in answers} == {302}
    assert client.get("/w/secret/api/v1/me").status_code == 401


def test_links_on_a_page_keep_the_workspace(client_for):
    page = client_for("viewer").get("/w/acme/accounts/profile/").content.decode()

    assert 'action="/w/acme/accounts/profile/tokens/"' in page
    assert get_script_prefix() == "/"


def test_the_prefix_is_gone_after_an_error(client_for):
    client_for("viewer").get("/w/acme/no/such/page/")

    assert get_script_prefix() == "/"


@pytest.mark.parametrize(
    "path", ["/w/", "/w/acme", "/w//accounts/profile/", "/w/A/accounts/profile/"]
)
def test_odd_prefixes_do_no_harm(client_for, path):
    assert client_for("viewer").get(path).status_code in {200, 302, 404}


def test_a_wrong_host_is_400(client):
    for path in ("/healthz", "/api/v1/me", "/accounts/login/"):
        assert client.get(path, headers={"Host": "evil.example"}).status_code == 400


def test_a_session_needs_the_csrf_token_to_write(client_for):
    client = client_for("administrator", enforce_csrf_checks=True)

    for path in ("/api/v1/tokens", "/api/v1/service-accounts"):
        answer = client.post(path, {}, content_type="application/json")
        assert answer.status_code == 403
        assert "CSRF" in answer.json()["detail"]
    assert client.post("/accounts/profile/tokens/", {}).status_code == 403
    assert client.get("/api/v1/me").status_code == 200


def test_a_token_needs_no_csrf_token(workspace, person):
    from rest_framework.test import APIClient

    row, text = accounts.token(workspace, user=person("viewer"))
    client = APIClient(enforce_csrf_checks=True)

    answer = client.post(
        f"/api/v1/tokens/{row.key_id}/revoke", headers={"Authorization": f"Bearer {text}"}
    )

    assert answer.status_code == 200


def test_nobody_sees_anothers_workspace(api, client_for, workspace):
    """Lists are limited to the caller's; a foreign object is not there."""
    other = accounts.WorkspaceFactory(slug="other")
    hidden = accounts.person(other, "viewer", email="zephyr@example.com")
    row, _ = accounts.token(other, user=hidden)
    accounts.ServiceAccountFactory(workspace=other, name="zephyr-bot")
    administrator = client_for("administrator")

    for path in (
        "/api/v1/people",
        "/api/v1/tokens",
        "/api/v1/service-accounts",
        "/accounts/people/",
    ):
        assert "zephyr" not in administrator.get(path).content.decode()
    assert administrator.post(f"/api/v1/tokens/{row.key_id}/revoke").status_code == 404
    assert administrator.post(f"/accounts/people/{hidden.pid}/deactivate/").status_code == 404
    hidden.refresh_from_db()
    row.refresh_from_db()
    assert hidden.is_active
    assert row.revoked_at is None


def test_the_caller_costs_one_query_for_the_roles(client_for, django_assert_num_queries):
    client = client_for("viewer")
    client.get("/api/v1/me")  # the first one notes when the session began

    with django_assert_num_queries(3):  # session, person, memberships
        client.get("/api/v1/me")


def test_a_view_without_capabilities_is_closed(person, workspace, rf):
    from rest_framework.response import Response
    from rest_framework.test import APIRequestFactory
    from rest_framework.views import APIView

    class Forgotten(APIView):
        def get(self, request):
            return Response({})

    _, text = accounts.token(workspace, user=person("administrator"))
    request = APIRequestFactory().get("/", headers={"Authorization": f"Bearer {text}"})

    assert Forgotten.as_view()(request).status_code == 403


def test_signing_is_for_people_even_with_every_role_and_scope(workspace, rf):
    from rest_framework.response import Response
    from rest_framework.test import APIRequestFactory
    from rest_framework.views import APIView

    from accounts.roles import Capability, Role

    class Sign(APIView):
        capabilities = {"post": Capability.REQUEST_SIGN}

        def post(self, request):
            return Response({})

    _, text = accounts.token(workspace, user=accounts.person(workspace, *Role.values))
    request = APIRequestFactory().post("/", headers={"Authorization": f"Bearer {text}"})
    answer = Sign.as_view()(request)

    assert answer.status_code == 403
    assert answer.data["code"] == "machine_cannot_sign"


def test_the_actor_says_who_without_saying_the_name(client_for, api, workspace):
    from django.test import RequestFactory

    from accounts.http import token_caller

    row = api("viewer").token
    actor = token_caller(RequestFactory().get("/", REMOTE_ADDR="192.0.2.7"), row).actor

    assert (actor.pid, actor.kind, actor.workspace) == (row.user.pid, "token", workspace.slug)
    assert actor.auth == {"method": "token", "token_id": row.key_id}
    assert "192.0.2.7" not in str(actor.request)
    assert len(actor.request["ip_hash"]) == 32
