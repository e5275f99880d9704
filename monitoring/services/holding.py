"""One writer a monitor: whoever counts or evaluates holds its row; who comes second tries later."""

from __future__ import annotations

from monitoring.models import Monitor


class Busy(Exception):
    """Somebody else is at this monitor; nothing was done, come again in a moment."""


def hold(monitor_id: int) -> Monitor:
    """Lock the monitor to the end of this transaction, without waiting. Raises: Busy."""
    found = (
        Monitor.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
        .select_related("workspace", "model__owner", "model__workspace", "environment", "version")
        .filter(pk=monitor_id)
        .first()
    )
    if found is None:
        raise Busy
    return found
