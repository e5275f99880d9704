"""What two administrators do at the same moment."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from django.db import connection

from accounts.callers import Caller
from accounts.models import Membership
from accounts.services import people
from audit.actor import Actor
from common.errors import Conflict
from tests.factories import accounts

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


def test_two_administrators_cannot_remove_each_other(monkeypatch):
    """Both would see the other still there, were it not for the workspace's lock."""
    workspace = accounts.WorkspaceFactory()
    ada, ben = (accounts.person(workspace, "administrator") for _ in range(2))
    meeting = threading.Barrier(2)
    look = people._insist_another_administrator

    def look_then_wait(user, where):
        look(user, where)
        # Without the lock both arrive here; with it the second waits outside, and this gives up.
        with suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=1)

    monkeypatch.setattr(people, "_insist_another_administrator", look_then_wait)
    outcomes = []

    def remove(actor, target):
        caller = Caller(
            workspace=workspace,
            actor=Actor(pid=actor.pid, kind="user", workspace=workspace.slug),
            user=actor,
            roles=frozenset({"administrator"}),
        )
        try:
            people.revoke_role(
                user=target, role="administrator", workspace=workspace, caller=caller
            )
            outcomes.append("removed")
        except Conflict as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=remove, args=pair) for pair in ((ada, ben), (ben, ada))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(outcomes) == ["last_administrator", "removed"]
    assert Membership.objects.filter(role="administrator").count() == 1
