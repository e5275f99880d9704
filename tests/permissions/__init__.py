"""URL × method → who may. A URL without a row fails; so does a row without a URL.

Each app has a module here, named after it, with one list::

    # tests/permissions/registry.py
    from accounts.roles import Capability
    from tests.factories.registry import ModelFactory
    from tests.permissions import PUBLIC, SIGNED_IN, Row

    def a_model(workspace):
        return {"name": ModelFactory(workspace=workspace).name}

    ROWS = [
        Row("v1:model-list", {"get": Capability.VIEW, "post": Capability.MODEL_EDIT}),
        Row("v1:model-detail", {"get": Capability.VIEW}, a_model),
        Row("registry:model-new", {"get": Capability.MODEL_EDIT, "post": Capability.MODEL_EDIT}),
    ]

``name`` is the URL's name with its namespaces. ``methods`` maps each method in lower case to a
``Capability``, a set of ``Role`` values, ``PUBLIC`` (nobody need sign in) or ``SIGNED_IN`` (every
signed-in person, with a role or without). ``make_kwargs(workspace)`` makes the objects that the
URL names *in that workspace*, in a state in which an allowed caller does not get 404, and returns
the URL's keyword arguments. It runs once per test, inside a transaction that is rolled back.

The walker (tests/architecture/test_permissions.py) then asks, with an empty body:

* without signing in: 401, 403 or the way to the sign-in page, for every method there is;
* each of the ten roles: allowed ones get anything below 500 but 401, 403 and 404, the others 403;
  a 403 whose problem ``code`` speaks of the object (not of a role or scope) counts as "let in";
* an administrator of *another* workspace: 404 on GET, and never success, where there are ``kwargs``
  (``shared=True`` where the same name rightly exists in every workspace, as environments do);
* methods that the row does not name: 405, or 403;
* for API rows with a ``Capability``: a token with every scope but the one needed: 403.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from accounts.roles import RULES, Capability, Role

METHODS = ("get", "post", "put", "patch", "delete")


class Door(Enum):
    """What is no question of roles."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"


PUBLIC = Door.PUBLIC
SIGNED_IN = Door.SIGNED_IN

Access = Capability | Door | frozenset[str]


@dataclass(frozen=True)
class Row:
    """Who may use one URL; see the module's docstring."""

    name: str
    methods: Mapping[str, Access]
    make_kwargs: Callable[[Any], Mapping[str, Any]] | None = None
    shared: bool = False
    #: an allowed role may get 404, because the object must be the caller's own
    by_owner: bool = False
    #: body of writing requests, where an empty one would not reach the rule under test
    data: Mapping[str, Any] = field(default_factory=dict)
    #: no cookies here: everybody is asked for a token, and ``data`` is the query of a GET
    tokens_only: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.methods) - set(METHODS)
        if unknown or not self.methods:
            raise ValueError(f"{self.name}: methods are some of {METHODS}, not {sorted(unknown)}")

    def __str__(self) -> str:
        return self.name


def allowed_roles(access: Access) -> frozenset[str]:
    """The roles that get in."""
    if isinstance(access, Door):
        return frozenset(Role.values)
    if isinstance(access, Capability):
        return frozenset(role.value for role in RULES[access].roles)
    return frozenset(str(role) for role in access)


def all_rows() -> list[Row]:
    """The rows of every app's module."""
    rows: list[Row] = []
    for module in sorted(info.name for info in iter_modules(__path__)):
        rows.extend(import_module(f"{__name__}.{module}").ROWS)
    return rows
