"""Who gets in, and what everybody else is told: always MLflow's JSON, never a page."""

import base64
import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.http import token_caller
from accounts.models import ApiToken, Membership
from accounts.services import door, tokens
from tests.factories import accounts
from tests.factories.registry import ModelVersionFactory
from tests.registry.mlflow.conftest import PREFIX

pytestmark = pytest.mark.django_db
GET = f"{PREFIX}registered-models/search"


def ask(authorization="", path=GET, method="get", **rest):
    headers = {"Authorization": authorization} if authorization else {}
    return getattr(Client(), method)(path, headers=headers, **rest)


def refusal(response):
    assert response["Content-Type"] == "application/json"
    return response.status_code, response.json()["error_code"]


@pytest.fixture
def bearer(workspace, person):
    def make(*roles, scopes=None, **fields):
        row, text = accounts.token(
            workspace, user=person(*(roles or ("model_owner",)), **fields), scopes=scopes
        )
        return row, text

    return make


def test_a_token_opens_as_bearer_and_as_the_password_of_basic(bearer):
    _, text = bearer()
    basic = base64.b64encode(f"ci-bot:{text}".encode()).decode()

    assert ask(f"Bearer {text}").status_code == 200
    assert ask(f"Basic {basic}").status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic ???", "Digest x", "Bearer "])
def test_without_a_token_the_answer_is_401_in_json(header, workspace):
    response = ask(header)

    assert refusal(response) == (401, "UNAUTHENTICATED")
    assert response["WWW-Authenticate"].startswith("Basic ")


def test_a_session_opens_nothing(client_for):
    client = client_for("administrator")

    assert refusal(client.get(GET)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("how", ["revoked", "expired", "deactivated", "wrong secret"])
def test_what_closes_the_rest_api_closes_this_one(how, bearer):
    row, text = bearer()
    assert ask(f"Bearer {text}").status_code == 200

    if how == "revoked":
        ApiToken.objects.filter(pk=row.pk).update(revoked_at=timezone.now())
    elif how == "expired":
        ApiToken.objects.filter(pk=row.pk).update(
            created_at=timezone.now() - timedelta(days=2),
            expires_at=timezone.now() - timedelta(days=1),
        )
    elif how == "deactivated":
        row.user.is_active = False
        row.user.save()
    else:
        secret = "A" * tokens.SECRET_LENGTH
        text = tokens.format_token(row.key_id, secret)

    assert tokens.authenticate(text) is None
    assert refusal(ask(f"Bearer {text}")) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("whose", ["account", "responsible"])
def test_a_service_account_that_nobody_answers_for_is_out(whose, workspace):
    service = accounts.ServiceAccountFactory(workspace=workspace, roles=["model_owner"])
    _, text = accounts.token(workspace, service_account=service)
    assert ask(f"Bearer {text}").status_code == 200

    if whose == "account":
        service.is_active = False
        service.save()
    else:
        service.responsible.is_active = False
        service.responsible.save()

    assert tokens.authenticate(text) is None
    assert refusal(ask(f"Bearer {text}")) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("machine", [False, True])
def test_the_short_way_makes_the_same_caller_as_the_long_one(machine, workspace, person, rf):
    holder = person("model_owner", "operator")
    service = None
    if machine:
        service = accounts.ServiceAccountFactory(workspace=workspace, roles=["model_owner"])
    whose = {"service_account": service} if machine else {"user": holder}
    _, text = accounts.token(workspace, scopes=["read", "registry:write"], **whose)
    request = rf.get("/", headers={"User-Agent": "mlflow"})
    request.id = "r1"

    long = token_caller(request, tokens.authenticate(text))
    bearer = door.let_in(text)
    short = bearer.caller(request)

    assert short == long
    for one, other in (
        (short.workspace, long.workspace),
        (short.user, long.user),
        (short.token, long.token),
        (short.service_account, long.service_account),
    ):
        if other is None:
            assert one is None
            continue
        for field in one._meta.concrete_fields:
            if field.attname in one.__dict__:
                assert getattr(one, field.attname) == getattr(other, field.attname), field.name
    assert (bearer.roles, bearer.scopes) == (long.roles, long.scopes)


def test_a_path_may_name_the_tokens_own_workspace_only(bearer, workspace):
    _, text = bearer()
    accounts.WorkspaceFactory(slug="others")

    assert ask(f"Bearer {text}", f"/w/{workspace.slug}{GET}").status_code == 200
    for slug in ("others", "nowhere"):
        found = ask(f"Bearer {text}", f"/w/{slug}{GET}")
        assert refusal(found) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_models_of_another_workspace_are_not_there(bearer):
    ModelVersionFactory(model__name="secret")
    _, text = bearer()

    response = ask(f"Bearer {text}", f"{PREFIX}registered-models/get?name=secret")

    assert refusal(response) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_roles_and_scopes_both_have_to_allow_it(bearer):
    create, body = f"{PREFIX}registered-models/create", json.dumps({"name": "m"})
    for roles, scopes, reason in (
        (("viewer",), None, "role_missing"),
        (("model_owner",), ["read"], "scope_missing"),
    ):
        _, text = bearer(*roles, scopes=scopes)
        response = ask(f"Bearer {text}", create, "post", data=body, content_type="application/json")
        assert refusal(response) == (403, "PERMISSION_DENIED")
        assert response.json()["reason"] == reason


def test_a_role_that_was_taken_away_is_gone_at_the_next_call(bearer):
    row, text = bearer("model_owner")
    Membership.objects.filter(user=row.user).delete()

    assert refusal(ask(f"Bearer {text}")) == (403, "PERMISSION_DENIED")


def test_a_token_in_the_address_is_refused_even_beside_a_good_header(bearer):
    _, text = bearer()

    assert refusal(ask(f"Bearer {text}", f"{GET}?token={text}")) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "path",
    ["registered-models/nothing", "", "experiments/search", "registered-models/get/"],
)
def test_what_the_contract_lacks_is_endpoint_not_found(path, mlflow):
    assert mlflow.refused("GET", path)[:2] == (404, "ENDPOINT_NOT_FOUND")


def test_other_apis_of_mlflow_are_not_found_in_json_too(mlflow):
    response = mlflow.client.get("/api/3.0/mlflow/server-info")

    assert refusal(response) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_another_method_is_endpoint_not_found_with_what_there_is(method, mlflow):
    response = getattr(mlflow.client, method.lower())(f"{PREFIX}registered-models/get")

    assert refusal(response) == (405, "ENDPOINT_NOT_FOUND")
    assert response["Allow"] == "GET"


def test_the_door_and_a_read_are_one_query_each(mlflow):
    mlflow.model()
    mlflow.version()
    mlflow.ok("GET", "model-versions/get", name="credit", version="1")

    with CaptureQueriesContext(connection) as queries:
        mlflow.ok("GET", "model-versions/get", name="credit", version="1")

    assert len(queries) == 2


def test_a_bug_is_an_internal_error_in_json_without_a_word_of_it(mlflow, monkeypatch):
    from registry.mlflow import reads

    def broken(*args):
        raise RuntimeError("the secret place")

    monkeypatch.setattr(reads, "model", broken)

    status, code, message = mlflow.refused("GET", "registered-models/get", name="m")

    assert (status, code) == (500, "INTERNAL_ERROR")
    assert "secret" not in message


def test_neither_a_cookie_nor_a_host_makes_a_page_of_it(client_for, settings):
    client = client_for("administrator")
    accounts.WorkspaceFactory(slug="others")

    assert refusal(client.get(f"/w/others{GET}")) == (401, "UNAUTHENTICATED")
    assert refusal(client.get(GET, headers={"Host": "evil.example"})) == (
        400,
        "INVALID_PARAMETER_VALUE",
    )


def test_a_call_asks_no_session_and_goes_through_no_browsers_middleware(bearer, client_for):
    _, text = bearer()
    client = client_for("viewer")
    with CaptureQueriesContext(connection) as queries:
        response = client.get(GET, headers={"Authorization": f"Bearer {text}"})

    assert response.status_code == 200
    assert not any("session" in query["sql"] for query in queries)
    assert "Content-Security-Policy" not in response
    assert response["X-Request-ID"]
    assert response["X-Content-Type-Options"] == "nosniff"
