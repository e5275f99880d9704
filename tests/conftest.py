"""Fixtures for everybody. Unit tests run in a transaction of their own, as the tables' owner.

``workspace``      a workspace with its default environments, slug ``acme``
``person``         ``person("validator", "operator", name="Ada")`` makes one with these roles in it
``caller_for``     ``caller_for("validator")`` or ``caller_for(user)``: the ``Caller`` for services
``client_for``     the same arguments: Django's test client, signed in
``api``            ``api("requester", scopes=["read"])`` or ``api(user)``: REST client, Bearer token
``service_api``    ``service_api("model_owner")``: the same for a service account
``recorded_actions``  the trail's actions, oldest first (also ``tests.trail.recorded_actions``)
``house``          real processes on a database of their own, for serial tests (tests/processes.py)

``workspace=`` gives any of them another workspace than the fixture's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.processes import house

__all__ = ["house"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "serial: real processes, races, faults or a browser; never beside other tests"
    )


def _uses_database(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("django_db") is not None or not {
        "db",
        "transactional_db",
    }.isdisjoint(request.fixturenames)


@pytest.fixture(autouse=True)
def _empty_cache(request: pytest.FixtureRequest) -> None:
    """Counters and limits live in Redis, a database of its own per worker: start without any."""
    if _uses_database(request):
        from django.core.cache import cache

        cache.clear()


@pytest.fixture
def workspace(db: None) -> Any:
    from accounts.models import Workspace
    from accounts.signals import workspace_created
    from tests.factories.accounts import WorkspaceFactory

    made = WorkspaceFactory(slug="acme", name="Acme")
    workspace_created.send(sender=Workspace, workspace=made)
    return made


@pytest.fixture
def person(workspace: Any) -> Callable[..., Any]:
    from tests.factories import accounts

    def make(*roles: str, workspace: Any = workspace, **fields: Any) -> Any:
        return accounts.person(workspace, *roles, **fields)

    return make


@pytest.fixture
def caller_for(workspace: Any, person: Callable[..., Any]) -> Callable[..., Any]:
    from accounts.callers import Caller
    from accounts.selectors import roles_of
    from audit.actor import Actor

    def make(*who: Any, workspace: Any = workspace) -> Caller:
        user = _somebody(who, person, workspace)
        return Caller(
            workspace=workspace,
            actor=Actor(
                pid=user.pid,
                kind="user",
                label=str(user),
                workspace=workspace.slug,
                auth={"method": "session"},
            ),
            user=user,
            roles=roles_of(user, workspace),
        )

    return make


@pytest.fixture
def client_for(workspace: Any, person: Callable[..., Any]) -> Callable[..., Any]:
    from django.test import Client

    def make(*who: Any, workspace: Any = workspace, **options: Any) -> Client:
        client = Client(**options)
        client.force_login(_somebody(who, person, workspace), backend=BACKEND)
        return client

    return make


@pytest.fixture
def api(workspace: Any, person: Callable[..., Any]) -> Callable[..., Any]:
    from rest_framework.test import APIClient

    from tests.factories import accounts

    def make(*who: Any, scopes: list[str] | None = None, workspace: Any = workspace) -> APIClient:
        user = _somebody(who, person, workspace)
        row, text = accounts.token(workspace, user=user, scopes=scopes)
        return _bearer(APIClient(), row, text)

    return make


@pytest.fixture
def service_api(workspace: Any) -> Callable[..., Any]:
    from rest_framework.test import APIClient

    from tests.factories import accounts

    def make(
        *roles: str, scopes: list[str] | None = None, workspace: Any = workspace, **fields: Any
    ) -> APIClient:
        if roles:
            fields["roles"] = list(roles)
        service = accounts.ServiceAccountFactory(workspace=workspace, **fields)
        row, text = accounts.token(workspace, service_account=service, scopes=scopes)
        return _bearer(APIClient(), row, text)

    return make


@pytest.fixture
def recorded_actions(db: None) -> Callable[..., list[str]]:
    from tests import trail

    return trail.recorded_actions


BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def _somebody(who: tuple[Any, ...], person: Callable[..., Any], workspace: Any) -> Any:
    """A given person, or a new one with the given roles (a viewer unless some are named)."""
    if who and not isinstance(who[0], str):
        return who[0]
    return person(*(who or ("viewer",)), workspace=workspace)


def _bearer(client: Any, row: Any, text: str) -> Any:
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    client.token, client.token_text = row, text
    return client


@pytest.fixture
def axes_enabled(settings: Any) -> Iterator[None]:
    """Lock-out is off in tests, except where it is the subject."""
    settings.AXES_ENABLED = True
    return
