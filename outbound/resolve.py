"""Names to addresses, under a deadline: the resolver itself has none."""

from __future__ import annotations

import ipaddress
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

from outbound.addresses import Address, literal, shown
from outbound.errors import DeadlineExceeded, Unreachable

_pool: ThreadPoolExecutor


def _fresh_pool() -> None:
    global _pool
    _pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="outbound-dns")


_fresh_pool()
# A pool's threads stay behind in the parent: a forked worker would wait for them for ever.
os.register_at_fork(after_in_child=_fresh_pool)


def answers(host: str, port: int, *, timeout_s: float) -> list[Address]:
    """Every address of ``host``, each once, in the resolver's order.

    Odd spellings of an address (``0x7f.1``, ``2130706433``) are resolved as the C library would
    when dialling them, so that they are judged by what they mean.

    Raises: Unreachable, DeadlineExceeded.
    """
    if (address := literal(host)) is not None:
        return [address]
    try:
        rows = _pool.submit(lookup, host, port).result(timeout=timeout_s)
    except FutureTimeout:
        raise DeadlineExceeded(f"The name {shown(host)} was not resolved in time.") from None
    except (OSError, UnicodeError):
        raise Unreachable(f"The name {shown(host)} cannot be resolved.") from None
    return list(dict.fromkeys(ipaddress.ip_address(row.partition("%")[0]) for row in rows))


def lookup(host: str, port: int) -> list[str]:
    """What the system's resolver says; the one place that asks it."""
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(row[4][0]) for row in rows]
