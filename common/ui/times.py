"""Moments and durations, always in UTC."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django import template
from django.utils import timezone
from django.utils.html import format_html

from common.ui.figures import DASH, MINUS, NBSP, finite, plural, trim

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

register = template.Library()


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _as_utc(value: dt.datetime) -> dt.datetime:
    if timezone.is_naive(value):
        return value.replace(tzinfo=dt.UTC)
    return value.astimezone(dt.UTC)


_SPANS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"))


def _ago(at: dt.datetime) -> str:
    seconds = (timezone.now() - at).total_seconds()
    if abs(seconds) < 45:
        return "just now"
    span = abs(seconds)
    size, name = next(((size, name) for size, name in _SPANS if span >= size), (60, "minute"))
    # floor, not round: a deadline 1.6 days away is not "in 2 days"
    words = plural(max(1, int(span // size)), name)
    return f"{words} ago" if seconds > 0 else f"in {words}"


@register.filter
def utc(value: dt.datetime | dt.date | str | None, style: str = "full") -> SafeString | str:
    """A moment as ``<time datetime>``, always in UTC.

    Args:
        value: a datetime (naive ones are taken for UTC), a date, or an ISO 8601 string.
        style: full "20 Mar 2026 09:12 UTC", short "20 Mar 09:12 UTC", date "20 Mar 2026",
            time "10:31:07 UTC", or ago "2 days ago" (the full time stands in its title).
    """
    if isinstance(value, str):
        try:
            return utc(dt.datetime.fromisoformat(value), style)
        except ValueError:
            return value or DASH
    if value is None:
        return DASH
    if not isinstance(value, dt.datetime):
        day = f"{value.day}{NBSP}{_MONTHS[value.month - 1]}{NBSP}{value.year}"
        return format_html('<time datetime="{}">{}</time>', value.isoformat(), day)
    at = _as_utc(value)
    day = f"{at.day}{NBSP}{_MONTHS[at.month - 1]}"
    full = f"{day}{NBSP}{at.year} {at:%H:%M}{NBSP}UTC"
    stamp = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    if style == "ago":
        return format_html('<time datetime="{}" title="{}">{}</time>', stamp, full, _ago(at))
    words = {
        "short": f"{day} {at:%H:%M}{NBSP}UTC",
        "date": f"{day}{NBSP}{at.year}",
        "time": f"{at:%H:%M:%S}{NBSP}UTC",
    }.get(style, full)
    return format_html('<time datetime="{}">{}</time>', stamp, words)


@register.filter
def duration(value: float | dt.timedelta | None) -> str:
    """Seconds, or a timedelta, in the two largest units: "412 ms", "3 min 20 s", "2 days 3 h"."""
    if isinstance(value, dt.timedelta):
        value = value.total_seconds()
    number = finite(value)
    if number is None:
        return DASH
    sign = MINUS if number < 0 else ""
    seconds = abs(number)
    if seconds < 1:
        return f"{sign}{round(seconds * 1000)}{NBSP}ms"
    if seconds < 10:
        return f"{sign}{trim(f'{seconds:.1f}')}{NBSP}s"
    whole = round(seconds)
    parts: list[str] = []
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min"), (1, "s")):
        count, whole = divmod(whole, size)
        if count:
            name = plural(count, "day").split(NBSP)[1] if unit == "day" else unit
            parts.append(f"{count}{NBSP}{name}")
        elif parts:
            break
    return sign + " ".join(parts[:2])
