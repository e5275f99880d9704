"""Every route of the house, walked: nobody gets in who is not named in tests/permissions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.views.generic.edit import ProcessFormView

from accounts.models import Membership, User
from accounts.roles import RULES, Capability, Role, Scope
from tests.conftest import BACKEND
from tests.factories import accounts
from tests.permissions import METHODS, PUBLIC, SIGNED_IN, Row, all_rows, allowed_roles

#: A 403 for what the caller is; any other code is about the object, and then the door was open.
REFUSED_BY_ROLE = {"role_missing", "scope_missing", "permission_denied", "forbidden"}

ROWS = all_rows()


@dataclass(frozen=True)
class Route:
    name: str
    callback: Any

    @property
    def methods(self) -> set[str] | None:
        """What the view answers, where that can be seen; None for function views."""
        if operations := getattr(self.callback, "operations", None):  # registry.mlflow.http
            return {method.lower() for method in operations}
        if actions := getattr(self.callback, "actions", None):
            return set(actions) & set(METHODS)
        view = getattr(self.callback, "cls", None) or getattr(self.callback, "view_class", None)
        if view is None:
            return None
        found = {method for method in METHODS if hasattr(view, method)}
        allowed = {method.lower() for method in view.http_method_names}
        if issubclass(view, ProcessFormView) and view.put is ProcessFormView.put:
            found.discard("put")  # Django's second name for post; asked for below all the same
        return found & allowed


def routes(patterns: Any = None, namespaces: tuple[str, ...] = ()) -> Iterator[Route]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from routes(pattern.url_patterns, inner)
        elif isinstance(pattern, URLPattern):
            assert pattern.name, f"the route {pattern.pattern} has no name"
            yield Route(":".join((*namespaces, pattern.name)), pattern.callback)


ROUTES = {route.name: route for route in routes()}


def test_every_route_has_a_row():
    missing = sorted(set(ROUTES) - {row.name for row in ROWS})

    assert not missing, f"add a Row to tests/permissions/<app>.py for: {', '.join(missing)}"


def test_every_row_has_a_route_and_only_one_row():
    names = [row.name for row in ROWS]

    assert sorted(set(names) - set(ROUTES)) == []
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_names_exactly_the_methods_that_the_view_answers(row):
    answered = ROUTES[row.name].methods

    assert answered is None or answered == set(row.methods)


def test_the_public_list_is_short():
    public = {row.name for row in ROWS if PUBLIC in row.methods.values()}

    assert {name for name in public if not name.startswith("account_")} == {"healthz", "readyz"}


class Walk:
    """Asks one URL as somebody and throws away what that changed."""

    def __init__(self, row: Row, workspace: Any) -> None:
        self.row = row
        kwargs = row.make_kwargs(workspace) if row.make_kwargs is not None else {}
        self.url = reverse(row.name, kwargs=dict(kwargs))
        self.is_api = self.url.startswith(("/api/", "/xds/"))
        self.clients: dict[int, Client] = {}
        self.bearers: dict[int, str] = {}

    def ask(self, method: str, *, user: Any = None, bearer: str = "") -> tuple[int, str]:
        """Status, and the code of the problem or the address of the redirect."""
        if self.row.tokens_only and user is not None:
            bearer = bearer or self._bearer_of(user)
            user = None
        client = self._client_of(user)
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        body: dict[str, Any] = {}
        if method == "get" and self.row.tokens_only:
            body = {"data": dict(self.row.data)}
        elif method != "get":
            body = {"data": dict(self.row.data)}
            if self.is_api:
                body = {"data": json.dumps(self.row.data), "content_type": "application/json"}
        with _undone():
            response = getattr(client, method)(self.url, headers=headers, **body)
        return response.status_code, _code(response)

    def _bearer_of(self, user: Any) -> str:
        if user.pk not in self.bearers:
            theirs = Membership.objects.filter(user=user).first()
            assert theirs is not None
            _, text = accounts.token(theirs.workspace, user=user, scopes=list(Scope))
            self.bearers[user.pk] = text
        return self.bearers[user.pk]

    def _client_of(self, user: Any) -> Client:
        """Signed in once: a session per question would be most of the work."""
        if user is None:
            return Client(raise_request_exception=False)
        if user.pk not in self.clients:
            client = Client(raise_request_exception=False)
            client.force_login(user, backend=BACKEND)
            self.clients[user.pk] = client
        return self.clients[user.pk]


@contextmanager
def _undone() -> Iterator[None]:
    """What happens inside is rolled back; the code under test sees no transaction around it."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)


def _one_person_per_role(workspace: Any) -> dict[str, User]:
    people = User.objects.bulk_create(
        User(email=f"{role}@roles.example", name=label) for role, label in Role.choices
    )
    by_role = dict(zip(Role.values, people, strict=True))
    Membership.objects.bulk_create(
        Membership(workspace=workspace, user=user, role=role) for role, user in by_role.items()
    )
    return by_role


def _code(response: Any) -> str:
    if "problem+json" in response.get("Content-Type", ""):
        return str(response.json().get("code", ""))
    if "application/json" in response.get("Content-Type", "") and response.status_code >= 400:
        return str(response.json().get("reason", ""))  # MLflow's refusals, with our code
    return str(response.get("Location", ""))


def _is_login(code: str) -> bool:
    return "/accounts/login/" in code


def _is_closed(status: int, code: str) -> bool:
    return status in {401, 403, 405} or (status == 302 and _is_login(code))


def _is_let_in(row: Row, status: int, code: str) -> bool:
    if status == 403:
        return bool(code) and code not in REFUSED_BY_ROLE
    if status == 404:
        return row.by_owner
    return status != 401 and status < 500 and not _is_login(code)


@pytest.mark.django_db
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_without_signing_in_only_the_public_list_answers(row, workspace):
    walk = Walk(row, workspace)

    for method in METHODS:
        status, code = walk.ask(method)

        if PUBLIC in row.methods.values():
            assert status != 401, method
            assert status < 500, method
        else:
            assert _is_closed(status, code), f"{method} answers {status} {code}"


@pytest.mark.django_db
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_role_gets_what_the_row_says(row, workspace):
    people = _one_person_per_role(workspace)
    walk = Walk(row, workspace)

    wrong = []
    for method, access in row.methods.items():
        allowed = allowed_roles(access)
        for role, user in people.items():
            status, code = walk.ask(method, user=user)
            is_right = (
                _is_let_in(row, status, code)
                if role in allowed
                else status == 403 and (not code or code in REFUSED_BY_ROLE)
            )
            if not is_right:
                expected = "is allowed" if role in allowed else "is not allowed"
                wrong.append(f"{method}: {role} {expected} and gets {status} {code}")
    assert wrong == []


@pytest.mark.django_db
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_methods_without_an_entry_are_closed_even_to_an_administrator(row, workspace):
    user = accounts.person(workspace, *Role.values)
    walk = Walk(row, workspace)
    aliases = {"put"} if "post" in row.methods else set()

    for method in set(METHODS) - set(row.methods) - aliases:
        status, code = walk.ask(method, user=user)

        if {PUBLIC, SIGNED_IN} & set(row.methods.values()):
            # allauth looks at the link or the person before the method; nothing here has a role.
            assert status < 500, f"{method} answers {status} {code}"
        else:
            assert status in {403, 405}, f"{method} answers {status} {code}"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.make_kwargs is not None and not row.shared], ids=str
)
def test_another_workspaces_objects_are_not_there(row, workspace):
    if {PUBLIC, SIGNED_IN} & set(row.methods.values()):
        pytest.skip("belongs to no workspace")
    stranger = accounts.person(accounts.WorkspaceFactory(slug="strangers"), *Role.values)
    walk = Walk(row, workspace)

    for method in row.methods:
        status, code = walk.ask(method, user=stranger)

        expected = {404} if method == "get" else {404, 400, 409, 413, 415, 422}
        assert status in expected, f"{method} answers {status} {code}"


API_ROWS = [
    row
    for row in ROWS
    if (row.name.startswith("v1:") or row.tokens_only)
    and any(isinstance(access, Capability) for access in row.methods.values())
]


@pytest.mark.django_db
@pytest.mark.parametrize("row", API_ROWS, ids=str)
def test_a_token_needs_the_scope(row, workspace):
    user = accounts.person(workspace, *Role.values)
    walk = Walk(row, workspace)

    for method, access in row.methods.items():
        if not isinstance(access, Capability):
            continue
        needed = RULES[access].scope.value
        others = [scope.value for scope in Scope if scope.value != needed]
        _, without = accounts.token(workspace, user=user, scopes=others)
        status, code = walk.ask(method, bearer=without)
        if access is Capability.REQUEST_SIGN:
            assert (status, code) == (403, "machine_cannot_sign")
            continue
        assert (status, code) == (403, "scope_missing"), f"{method} answers {status} {code}"

        _, having = accounts.token(workspace, user=user, scopes=[needed])
        status, code = walk.ask(method, bearer=having)
        assert _is_let_in(row, status, code), f"{method} with {needed}: {status} {code}"
