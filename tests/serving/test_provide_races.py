"""Many at once: a hook's answer counts once, and a version is provided for once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from common.errors import Conflict
from outbound import secrets
from serving.models import Endpoint, EndpointProvision
from serving.services import provide
from tests.factories.serving import EndpointProvisionFactory, EndpointSourceFactory
from tests.registry.test_races import at_once

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def asked(version):
    source = EndpointSourceFactory(
        model=version.model,
        kind="hook",
        template="",
        hook_url="http://127.0.0.1:9/hook",
        sealed_secret=secrets.seal("whsec_0123456789abcdef"),
    )
    return EndpointProvisionFactory(
        version=version,
        source=source,
        state="waiting",
        expires_at=timezone.now() + timedelta(hours=1),
    )


def answer_at_once(count, caller, asked, server):
    return at_once(
        count,
        lambda number: provide.answer(
            caller=caller, provision=asked, url=f"http://127.0.0.1:{server.port}/{number}", given={}
        ),
    )


def test_of_many_answers_one_counts(asked, server, caller_for):
    raised = answer_at_once(6, caller_for("model_owner"), asked, server)

    assert [type(error) for error in raised] == [Conflict] * 5
    assert Endpoint.objects.count() == 1
    assert EndpointProvision.objects.get().state == "made"


def test_without_the_lock_more_than_one_would_count(asked, server, caller_for, monkeypatch):
    """The race is real: when both have looked before either writes, two endpoints stand."""
    both_have_looked = threading.Barrier(2)

    def look(provision):
        found = EndpointProvision.objects.select_related(
            "workspace", "source__model", "version__model__workspace"
        ).get(pk=provision.pk)
        both_have_looked.wait(30)
        return found

    monkeypatch.setattr(provide, "_lock", look)
    raised = answer_at_once(2, caller_for("model_owner"), asked, server)

    assert raised == []
    assert Endpoint.objects.count() == 2


def test_many_beginnings_are_one(version, server):
    EndpointSourceFactory(model=version.model)

    raised = at_once(6, lambda number: provide.begin(version=version))

    assert raised == []
    assert EndpointProvision.objects.count() == 1


def test_the_database_holds_that_only_one_is_open(asked):
    with pytest.raises(IntegrityError, match="endpoint_provision_open_once"):
        EndpointProvisionFactory(version=asked.version, source=asked.source)
