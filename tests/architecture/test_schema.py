"""The committed description of the API is the API's. Refresh it by

.venv/bin/python manage.py spectacular --api-version v1 --file docs/openapi.yaml
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.drainage import GENERATOR_STATS

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
REFRESH = "manage.py spectacular --api-version v1 --file docs/openapi.yaml"


@pytest.fixture(scope="module")
def generated(django_db_setup, django_db_blocker) -> tuple[str, str]:
    """The schema as text, and what the generator complained about."""
    out, complaints = io.StringIO(), io.StringIO()
    GENERATOR_STATS.reset()
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", complaints)
        call_command("spectacular", "--api-version", "v1", stdout=out)
    return out.getvalue(), complaints.getvalue()


def test_the_schema_is_generated_without_a_warning(generated):
    assert generated[1] == ""


def test_the_schema_is_not_empty(generated):
    """With NamespaceVersioning an unversioned run writes an empty one and reports success."""
    assert len(yaml.safe_load(generated[0])["paths"]) > 20


def test_the_committed_schema_is_current(generated):
    assert COMMITTED.exists(), f"run {REFRESH}"
    assert COMMITTED.read_text() == generated[0], f"the API changed: run {REFRESH}"


def test_every_operation_names_its_way_in(generated):
    operations = [
        (path, method, operation)
        for path, item in yaml.safe_load(generated[0])["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]

    assert [it[:2] for it in operations if {"token": []} not in it[2].get("security", [])] == []
