"""Who may use the account pages and API."""

from __future__ import annotations

from accounts.roles import Capability
from tests.factories import accounts
from tests.permissions import PUBLIC, SIGNED_IN, Row

VIEW, ADMIN = Capability.VIEW, Capability.WORKSPACE_ADMIN


def a_person(workspace):
    return {"pid": accounts.person(workspace, "viewer").pid}


def a_service_account(workspace):
    return {"pid": accounts.ServiceAccountFactory(workspace=workspace).pid}


def a_reset_link(workspace):
    return {"uidb36": "1", "key": "not-a-key"}


ROWS = [
    # allauth's; the pages that change something ask for the signed-in person themselves
    Row("account_login", {"get": PUBLIC, "post": PUBLIC}),
    Row("account_logout", {"get": PUBLIC, "post": PUBLIC}),
    Row("account_inactive", {"get": PUBLIC}),
    Row("account_reset_password", {"get": PUBLIC, "post": PUBLIC}),
    Row("account_reset_password_done", {"get": PUBLIC}),
    Row("account_reset_password_from_key", {"get": PUBLIC, "post": PUBLIC}, a_reset_link),
    Row("account_reset_password_from_key_done", {"get": PUBLIC}),
    Row("account_change_password", {"get": SIGNED_IN, "post": SIGNED_IN}),
    Row("account_set_password", {"get": SIGNED_IN, "post": SIGNED_IN}),
    Row("accounts:workspace-list", {"get": SIGNED_IN}),
    Row("accounts:profile", {"get": VIEW}),
    Row("accounts:token-create", {"post": VIEW}),
    # Ownership decides these three, not the role: tests/accounts has their refusals.
    Row("accounts:token-revoke", {"post": VIEW}, lambda _: {"key_id": "00000000"}, by_owner=True),
    Row("accounts:session-end", {"post": VIEW}, lambda _: {"public_id": "0"}, by_owner=True),
    Row("v1:token-revoke", {"post": VIEW}, lambda _: {"key_id": "00000000"}, by_owner=True),
    Row("accounts:people-list", {"get": ADMIN}),
    Row("accounts:person-create", {"post": ADMIN}),
    Row("accounts:role-grant", {"post": ADMIN}, a_person),
    Row("accounts:role-revoke", {"post": ADMIN}, a_person),
    Row("accounts:person-deactivate", {"post": ADMIN}, a_person),
    Row("accounts:service-account-create", {"post": ADMIN}),
    Row("accounts:service-account-token", {"post": ADMIN}, a_service_account),
    Row("v1:me", {"get": VIEW}),
    Row("v1:token-list", {"get": VIEW, "post": VIEW}),
    Row("v1:person-list", {"get": ADMIN}),
    Row("v1:service-account-list", {"get": ADMIN, "post": ADMIN}),
]
