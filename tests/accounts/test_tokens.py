"""API tokens: made once, checked everywhere, ended at once."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import ApiToken
from accounts.roles import RULES, Capability, Role, Scope
from accounts.services import people, tokens
from audit.actions import Action
from common.errors import Invalid, InvalidTransition, NotAllowed, NotFound
from tests.factories import accounts

pytestmark = pytest.mark.django_db


def make(caller, **changes):
    values = {"name": "ci", "scopes": ["read"], "days": 30, "user": caller.user}
    return tokens.create(workspace=caller.workspace, caller=caller, **{**values, **changes})


def test_a_token_is_shown_once_and_kept_as_a_hash(caller_for, recorded_actions):
    token, text = make(caller_for("requester"))

    assert text.startswith(f"cs_{token.key_id}_")
    assert tokens.authenticate(text) == token
    assert recorded_actions() == [Action.TOKEN_CREATED]
    secret = text.split("_")[2]
    with connection.cursor() as cursor:
        for table in ("accounts_apitoken", "audit_event", "audit_pii"):
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{secret}%"])
            assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: text.upper(),
        lambda text: text.replace("cs_", "cs_0", 1),
        lambda text: text + " ",
        lambda text: text + "\n",
        lambda text: "cs_" + "a" * 8 + text[11:],
    ],
)
def test_a_spoilt_token_is_nobody(caller_for, spoil):
    _, text = make(caller_for("requester"))

    assert tokens.authenticate(spoil(text)) is None


def test_the_right_id_with_another_secret_is_nobody(caller_for):
    token, _ = make(caller_for("requester"))

    assert tokens.authenticate(tokens.format_token(token.key_id, "x" * 43)) is None


def test_a_mistyped_token_costs_no_query(caller_for, django_assert_num_queries):
    _, text = make(caller_for("requester"))

    with django_assert_num_queries(0):
        tokens.authenticate(text[:-1] + ("0" if text[-1] != "0" else "1"))


def test_a_token_ends_on_its_day(caller_for, api):
    client = api("viewer")
    client.token.expires_at = timezone.now() + timedelta(days=1)
    client.token.save()

    assert client.get("/api/v1/me").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1), tick=False):
        answer = client.get("/api/v1/me")

    assert answer.status_code == 401
    assert answer.json()["code"] == "token_invalid"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_token_ends_at_once(api, caller_for, recorded_actions):
    client = api("viewer")

    tokens.revoke(token=client.token, caller=caller_for(client.token.user))

    assert client.get("/api/v1/me").status_code == 401
    assert recorded_actions() == [Action.TOKEN_REVOKED]


def test_a_token_is_revoked_once(api, caller_for, recorded_actions):
    token = api("viewer").token
    caller = caller_for(token.user)
    tokens.revoke(token=token, caller=caller)

    with pytest.raises(InvalidTransition):
        tokens.revoke(token=token, caller=caller)

    assert recorded_actions() == [Action.TOKEN_REVOKED]


def test_nobody_revokes_anothers_token_but_an_administrator(api, caller_for, workspace):
    token = api("viewer").token
    stranger = accounts.WorkspaceFactory()
    other = caller_for(accounts.person(stranger, "administrator"), workspace=stranger)

    for caller in (caller_for("operator"), other):
        with pytest.raises(NotFound):
            tokens.revoke(token=token, caller=caller)

    token.refresh_from_db()
    assert token.revoked_at is None
    assert tokens.revoke(token=token, caller=caller_for("administrator")).revoked_at is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["read", "everything"]}, "scopes"),
        ({"days": 0}, "days"),
        ({"days": 91}, "days"),
    ],
)
def test_a_token_is_refused_by_field(caller_for, recorded_actions, changes, field):
    with pytest.raises(Invalid) as refused:
        make(caller_for("requester"), **changes)

    assert list(refused.value.fields) == [field]
    assert not ApiToken.objects.exists()
    assert recorded_actions() == []


def test_nobody_makes_a_token_for_somebody_else(caller_for, person):
    for caller in (caller_for("requester"), caller_for("administrator")):
        with pytest.raises(NotAllowed):
            make(caller, user=person("viewer"))

    assert not ApiToken.objects.exists()


def test_a_token_makes_no_tokens(api):
    client = api("administrator")

    answer = client.post("/api/v1/tokens", {"name": "more", "scopes": ["admin"], "days": 90})

    assert answer.status_code == 403
    assert answer.json()["code"] == "machine_cannot_make_tokens"
    assert ApiToken.objects.count() == 1


def test_only_an_administrator_makes_tokens_for_service_accounts(caller_for, workspace):
    account = accounts.ServiceAccountFactory(workspace=workspace)
    foreign = accounts.ServiceAccountFactory()

    with pytest.raises(NotAllowed):
        make(caller_for("model_owner"), user=None, service_account=account)
    with pytest.raises(NotFound):
        make(caller_for("administrator"), user=None, service_account=foreign)

    token, _ = make(caller_for("administrator"), user=None, service_account=account)
    assert token.service_account == account


def test_a_token_stands_for_exactly_one(person, workspace):
    user, account = person("viewer"), accounts.ServiceAccountFactory(workspace=workspace)

    for holder in ({}, {"user": user, "service_account": account}):
        with (
            pytest.raises(IntegrityError, match="token_stands_for_exactly_one"),
            transaction.atomic(),
        ):
            accounts.token(workspace, **holder)


def test_the_database_keeps_lifetimes_and_scopes(person, workspace):
    user = person("viewer")

    with pytest.raises(IntegrityError, match="token_expires_within_90_days"), transaction.atomic():
        accounts.token(workspace, user=user, days=91)
    with pytest.raises(IntegrityError, match="token_has_a_scope"), transaction.atomic():
        accounts.token(workspace, user=user, scopes=[])


def test_a_service_account_cannot_hold_a_signing_role(workspace):
    for role in RULES[Capability.REQUEST_SIGN].roles:
        with (
            pytest.raises(IntegrityError, match="service_account_never_signs"),
            transaction.atomic(),
        ):
            accounts.ServiceAccountFactory(workspace=workspace, roles=["requester", role.value])
    with pytest.raises(IntegrityError, match="service_account_holds_a_role"), transaction.atomic():
        accounts.ServiceAccountFactory(workspace=workspace, roles=[])


@pytest.mark.parametrize("capability", list(Capability))
@pytest.mark.parametrize("scope", list(Scope))
def test_scopes_and_roles_both_have_to_allow_it(workspace, person, scope, capability):
    rule = RULES[capability]
    user = person(*Role.values)
    from django.test import RequestFactory

    from accounts.http import token_caller

    row, _ = accounts.token(workspace, user=user, scopes=[scope.value])
    caller = token_caller(RequestFactory().get("/"), row)

    assert caller.may(capability) is (scope == rule.scope)
    assert not caller.may(capability) or not frozenset() & rule.roles
    user.memberships.all().delete()
    assert token_caller(RequestFactory().get("/"), row).may(capability) is False


def test_basic_authentication_takes_the_token_as_password(api):
    import base64

    client = api("viewer")
    pair = base64.b64encode(f"anything:{client.token_text}".encode()).decode()
    client.credentials(HTTP_AUTHORIZATION=f"Basic {pair}")

    assert client.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Basic !!!", "Basic YQ==", "Digest x", "Bearer a b", "\x00"]
)
def test_a_malformed_header_is_401(client, header):
    answer = client.get("/api/v1/me", headers={"Authorization": header})

    assert answer.status_code == 401


def test_a_token_in_the_address_is_refused(api, client):
    text = api("viewer").token_text

    answer = client.get(f"/api/v1/me?access_token={text}")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_in_url")
    assert text not in answer.content.decode()


def test_a_token_in_the_address_is_refused_beside_a_good_header(api):
    client = api("viewer")

    answer = client.get(f"/api/v1/me?token={client.token_text}")

    assert answer.status_code == 401


def test_a_token_ignores_cookies(client_for, api):
    """With both, the token decides: also when it is no good."""
    client = client_for("administrator")
    viewer = api("viewer")

    mine = client.get("/api/v1/me", headers={"Authorization": f"Bearer {viewer.token_text}"})
    bad = client.get("/api/v1/me", headers={"Authorization": "Bearer cs_nothing"})

    assert mine.json()["pid"] == viewer.token.user.pid
    assert mine.json()["roles"] == ["viewer"]
    assert bad.status_code == 401


def test_a_token_of_a_deactivated_person_ends_at_once(api, caller_for, workspace):
    client = api("operator")

    people.deactivate(user=client.token.user, caller=Caller.system("test", workspace))

    assert client.get("/api/v1/me").status_code == 401


def test_a_service_account_ends_with_the_person_who_answers_for_it(service_api):
    client = service_api("requester")
    assert client.get("/api/v1/me").json()["kind"] == "service_account"
    person = client.token.service_account.responsible
    person.is_active = False
    person.save()

    assert client.get("/api/v1/me").status_code == 401


def test_the_use_of_a_token_is_noted_once_a_minute(api):
    client = api("viewer")
    with time_machine.travel(timezone.now(), tick=False) as clock:
        client.get("/api/v1/me")
        client.token.refresh_from_db()
        first = client.token.last_used_at
        clock.shift(30)
        client.get("/api/v1/me")
        client.token.refresh_from_db()
        assert client.token.last_used_at == first
        clock.shift(31)
        client.get("/api/v1/me")
        client.token.refresh_from_db()
        assert client.token.last_used_at == first + timedelta(seconds=61)


def test_no_log_line_and_no_cache_entry_holds_a_token(api, client, caplog, settings):
    viewer = api("viewer")
    text = viewer.token_text
    caplog.set_level(logging.DEBUG)

    viewer.get("/api/v1/me")
    client.get(f"/api/v1/me?token={text}")
    client.get(f"/api/v1/nothing/{text}")
    viewer.post("/api/v1/tokens", {"name": "x"})
    viewer.credentials(HTTP_AUTHORIZATION=f"Bearer {text[:-2]}")
    viewer.get("/api/v1/me")

    secret = text.split("_")[2]
    # the address of a page that is not there is logged as it was asked for; no route takes a token
    lines = [r.getMessage() for r in caplog.records if "/api/v1/nothing/" not in r.getMessage()]
    assert [line for line in lines if secret in line] == []
    assert cache.get(text) is None
