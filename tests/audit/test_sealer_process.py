"""``manage.py sealer`` as a real process with the sealer's own database role."""

from __future__ import annotations

import pytest
from django.db import connection

from audit.models import Leaf
from audit.services.seal import wait_sealed
from tests.audit.conftest import write


@pytest.mark.serial
def test_the_sealer_process_seals_stands_by_and_ends_cleanly(house):
    first = house.sealer()
    house.wait("the first has the lock", lambda: "has the lock" in first.log, alive=[first])
    second = house.sealer()
    (event,) = write()

    checkpoint = wait_sealed([event.pk], timeout_s=10)
    assert checkpoint.tree_size == 1
    assert "has the lock" not in second.log

    first.kill()
    house.wait("the second took over", lambda: "has the lock" in second.log, alive=[second])
    assert wait_sealed([write()[0].pk], timeout_s=10).tree_size == 2
    assert second.stop() == 0
    assert "sealer stopped" in second.log


@pytest.mark.serial
def test_the_sealer_process_stops_sealing_and_says_so_when_a_row_was_changed(house):
    (event,) = write()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_event SET body = replace(body, 'credit', 'fraud')")
        cursor.execute("ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_no_change")
    sealer = house.sealer()

    house.wait("it says so", lambda: "not intact" in sealer.log, alive=[sealer])

    assert "CRITICAL" in sealer.log
    assert f"event {event.pk}" in sealer.log
    assert not Leaf.objects.exists()
    assert sealer.is_running
    assert sealer.stop() == 0
