"""Two at once, and ``kill -9`` between the two aliases: both are live afterwards, or neither."""

import contextlib
import signal
import sys
import threading

import pytest
from django.db import connection, transaction

from delivery.services import closing
from registry import components, ports
from registry.errors import ProtectedAlias
from registry.models import Alias
from registry.services import aliases
from tests.factories import governance as make
from tests.factories.registry_lineage import calling
from tests.governance.together.conftest import build

pytestmark = pytest.mark.serial

#: Carries the rollout out, and dies when the second of the two moves is to be recorded.
DIES = """
import os, signal
from django.db import transaction
from accounts.callers import Caller
from delivery.models import Rollout
from delivery.services import closing
from registry.services import aliases

record, moved = aliases.audit.record, []

def dying(action, **kwargs):
    moved.append(kwargs["object_name"])
    if len(moved) == 2:
        print("moved", *moved, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return record(action, **kwargs)

aliases.audit.record = dying
with transaction.atomic():
    rollout = Rollout.objects.select_for_update(of=("self",)).get()
    closing.succeed(rollout, caller=Caller.system("delivery", rollout.workspace))
"""


def whole(world):
    """Whether every live version's components are live."""
    live = Alias.objects.filter(name="champion", ended_at=None).select_related("version")
    moves = {it.model_id: it.version for it in live}
    return components.why_not_stand(workspace=world.workspace, alias="champion", moves=moves)


def test_a_worker_killed_between_the_two_moves_neither(house):
    world = build(house.workspace())
    world.sign(world.ask(world.score2))
    promotion = world.sign(world.ask(world.parent2))
    rollout = world.rollout(promotion, world.route(world.parent1))

    killed = house.start("mover", sys.executable, "manage.py", "shell", "-c", DIES)
    assert killed.popen.wait(60) == -signal.SIGKILL, killed.log
    assert "moved score parent" in killed.log
    assert world.live() == (1, 1)

    with transaction.atomic():  # the next worker goes on from the rows
        closing.succeed(rollout, caller=make.system(world.workspace))
    assert world.live() == (2, 2)
    assert whole(world) is None


class Meeting:
    """Allows everything; both movers meet after they were allowed, if nothing keeps them apart."""

    def __init__(self):
        self.barrier = threading.Barrier(2)

    def why_not_move(self, **_):
        return None

    def goes_along(self, **_):
        # Broken when the other one waits for a lock: that is what is wanted.
        with contextlib.suppress(threading.BrokenBarrierError):
            self.barrier.wait(0.5)
        return {}


@pytest.mark.django_db(transaction=True)
def test_a_component_that_leaves_and_a_parent_that_arrives_do_not_pass_each_other(world):
    arriving = calling(make.model(world.workspace, name="arriving"), world.score1)
    Alias.objects.filter(model=world.parent1.model).update(ended_at="2099-01-01T00:00Z")
    before = ports.alias_guard()
    ports.register_alias_guard(Meeting())
    refused, raised = [], []

    def move(version):
        try:
            aliases.move(
                caller=make.system(world.workspace),
                model=version.model,
                name="champion",
                version=version,
            )
        except ProtectedAlias as error:
            refused.append(error)
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=move, args=(version,)) for version in (arriving, world.score2)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        ports.register_alias_guard(before)

    assert raised == []
    assert len(refused) == 1
    assert whole(world) is None
