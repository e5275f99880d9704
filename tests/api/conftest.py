"""Objects for every address of the API, and requests whose effects are thrown away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts.roles import Role
from tests.permissions import METHODS, Row, all_rows

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"


@cache
def api_schema() -> dict[str, Any]:
    """The committed description; tests/architecture/test_schema.py holds it to the code."""
    return dict(yaml.load(SCHEMA.read_text(), Loader=yaml.CSafeLoader))


def operations(*methods: str) -> list[tuple[str, str]]:
    """(method, path) of every operation, or of those with these methods."""
    return [
        (method, path)
        for path, item in api_schema()["paths"].items()
        for method in item
        if method in (methods or METHODS)
    ]


@cache
def _rows() -> dict[str, Row]:
    """Path of the schema → the row of the permission tables that can make its objects."""
    found = {}
    for path in api_schema()["paths"]:
        names = re.findall(r"\{(\w+)\}", path)
        asked = path.replace("{", "").replace("}", "")
        for row in all_rows():
            if row.name.startswith("v1:") and _address(row.name, names) == asked:
                found[path] = row
    return found


def _address(name: str, keywords: list[str]) -> str:
    """The address with each keyword standing for itself, where its kind allows that."""
    kinds = [
        (word, f"00000000-0000-0000-0000-00000000000{i}", 987650 + i, f"9.8.{i}")
        for i, word in enumerate(keywords)
    ]
    for chosen in product(*kinds):
        values = dict(zip(keywords, chosen, strict=True))
        try:
            url = reverse(name, kwargs=values)
        except NoReverseMatch:
            continue
        for keyword, value in values.items():
            url = url.replace(str(value), keyword)
        return url
    return ""


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside is rolled back; the code under test sees no transaction around it."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)


class Everybody:
    """One person with every role, signed in, and the objects that each address names."""

    def __init__(self, client: Client, workspace: Any) -> None:
        self.client = client
        self.workspace = workspace

    def objects(self, path: str) -> Mapping[str, Any]:
        """The values of the address's keywords, of objects in this person's workspace."""
        if path not in _rows():
            assert "{" not in path, f"no permission row makes the objects of {path}"
            return {}
        row = _rows()[path]
        return row.make_kwargs(self.workspace) if row.make_kwargs is not None else {}


@pytest.fixture
def everybody(workspace: Any, client_for: Any) -> Everybody:
    return Everybody(client_for(*Role.values, raise_request_exception=False), workspace)
