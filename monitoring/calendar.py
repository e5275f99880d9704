"""Windows of time, in UTC: where one begins and ends, and what people call it (pure)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
DAY_US = 24 * 3600 * 1_000_000
#: 1970-01-01 was a Thursday; weeks begin on Monday.
_MONDAY = 3


def starts(at_us: Ints, kind: str) -> Ints:
    """Microseconds since 1970 at which each row's window begins, shape ``(n,)``."""
    if kind == "month":
        months = at_us.astype("datetime64[us]").astype("datetime64[M]")
        return months.astype("datetime64[us]").astype(np.int64)
    days = at_us // DAY_US
    if kind == "week":
        days = (days + _MONDAY) // 7 * 7 - _MONDAY
    return np.asarray(days * DAY_US, dtype=np.int64)


def start_of(at: datetime, kind: str) -> datetime:
    """Where the window begins that holds this moment."""
    return from_us(int(starts(np.array([to_us(at)], dtype=np.int64), kind)[0]))


def end_of(start: datetime, kind: str) -> datetime:
    """Where the window that begins at ``start`` ends, and the next begins."""
    if kind == "month":
        return (start + timedelta(days=32)).replace(day=1)
    return start + timedelta(days=7 if kind == "week" else 1)


def from_us(value: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=value)


def to_us(at: datetime) -> int:
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def label(start: datetime, kind: str) -> str:
    """“November 2013”, “the week of 4 November 2013”, “4 November 2013”."""
    at = start.astimezone(UTC)
    if kind == "month":
        return f"{at:%B %Y}"
    day = f"{at.day} {at:%B %Y}"
    return f"the week of {day}" if kind == "week" else day


def during(start: datetime, kind: str) -> str:
    """“in November 2013”, “in the week of …”, “on 4 November 2013”."""
    return f"{'on' if kind == 'day' else 'in'} {label(start, kind)}"


def short(start: datetime, kind: str) -> str:
    """For an axis: “Nov 2013”, “4 Nov 2013”; unique per window."""
    at = start.astimezone(UTC)
    return f"{at:%b %Y}" if kind == "month" else f"{at.day} {at:%b %Y}"
