"""Waiting for a clearance without holding a database connection, or more than a few threads."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection

from governance.models import PromotionRequest
from governance.services.clearance import Clearance, clearance

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.5
MAX_WAIT_SECONDS = 60

#: A quarter of the web threads may wait; the rest go on answering (DESIGN 6a).
_seats = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 4))


class NoSeat(Exception):
    """As many callers wait as may; ask again later."""


def wait_for(
    promotion: PromotionRequest,
    release_digest: str,
    *,
    wait_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Clearance:
    """The clearance, once it is final or ``wait_s`` seconds (0 to 60) have passed.

    Raises: NoSeat, when it would have to wait and nobody more may.
    """
    answer = clearance(promotion, release_digest)
    if answer.is_final or wait_s <= 0:
        return answer
    if not _seats.acquire(blocking=False):
        raise NoSeat
    try:
        until = clock() + min(wait_s, MAX_WAIT_SECONDS)
        while not answer.is_final and (left := until - clock()) > 0:
            _let_go()
            sleep(min(POLL_SECONDS, left))
            promotion = PromotionRequest.objects.with_context().get(pk=promotion.pk)
            answer = clearance(promotion, release_digest)
        return answer
    finally:
        _seats.release()


def _let_go() -> None:
    """Give the connection back while nothing is asked; a caller's transaction keeps its own."""
    if not connection.in_atomic_block:
        connection.close()
