"""A process that could rewrite the trail does not run as the application."""

from __future__ import annotations

import subprocess
import sys

import pytest

from audit import checks
from tests.processes import ROOT

SHOW = "from audit.models import Event; print('events', Event.objects.count())"


def run(house, **env):
    return subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", SHOW],
        cwd=ROOT,
        env=house.env() | env,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.serial
def test_the_application_starts_as_cs_app_and_refuses_to_be_the_owner(house):
    fine = run(house)
    assert "events 0" in fine.stdout, fine.stderr

    refused = run(house, DATABASE_URL=house.urls["DATABASE_OWNER_URL"])

    assert refused.returncode != 0
    assert "events" not in refused.stdout
    assert "connects as cs_owner, who could rewrite the audit trail" in refused.stderr


@pytest.mark.django_db
def test_tests_and_migrations_may_be_the_owner(settings):
    from django.db import connection

    assert settings.ENV.database_role == "owner"
    checks.insist_limited_role(sender=None, connection=connection)
