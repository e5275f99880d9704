"""Figures: every filter shows ``None`` as an en dash, so that a page never prints "None"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from django import template

register = template.Library()

DASH = "–"
NBSP = "\u00a0"
MINUS = "\u2212"


def finite(value: object) -> float | None:
    """A finite float, or nothing: NaN and infinity are "not known" on a page."""
    if value is None or isinstance(value, bool) or value == "":
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _places(*numbers: float) -> int:
    """Decimals that leave about three figures of the largest of the numbers."""
    largest = max((abs(n) for n in numbers), default=0.0)
    if largest >= 100:
        return 0
    if largest >= 10:
        return 1
    return 2 if largest >= 2 else 3


def _fixed(number: float, places: int) -> str:
    text = f"{number:,.{places}f}"
    if text.startswith("-"):
        # "−0.000" would claim a direction that rounding took away
        text = text[1:] if not text.strip("-0.,") else MINUS + text[1:]
    return text


@register.filter
def num(value: object, places: int | None = None) -> str:
    """A figure with thousands grouped: 412,908; a fraction with three figures: 0.774, 63.2."""
    number = finite(value)
    if number is None:
        return DASH
    if places is None:
        places = 0 if float(number).is_integer() else _places(number)
    return _fixed(number, int(places))


@register.filter
def shortnum(value: object) -> str:
    """A large figure in short: 950, 12.3 k, 413 k, 1.2 M, 3.4 G."""
    number = finite(value)
    if number is None:
        return DASH
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999,950 would read "1000 k"
        if abs(number) >= size * 0.9995 and (size > 1e3 or abs(number) >= 1e3):
            scaled = number / size
            places = 0 if abs(scaled) >= 100 else 1
            return f"{trim(_fixed(scaled, places))}{NBSP}{unit}"
    return num(number)


@register.filter
def pct(value: object, places: int = 1) -> str:
    """A share from 0 to 1 as a percentage: 0.246 is 24.6 %."""
    number = finite(value)
    return DASH if number is None else f"{_fixed(number * 100, int(places))}{NBSP}%"


@register.filter
def signed(value: object, places: int | None = None) -> str:
    """A difference that always shows its direction: +0.018, −0.004, ±0."""
    number = finite(value)
    if number is None:
        return DASH
    if places is None:
        places = 0 if number.is_integer() else _places(number)
    text = _fixed(number, int(places))
    if not text.strip(MINUS + "0.,"):
        return "±0"
    return text if text.startswith(MINUS) else f"+{text}"


def _interval_text(value: object, low: object, high: object, places: int | None) -> str:
    numbers = [finite(part) for part in (value, low, high)]
    known = [n for n in numbers if n is not None]
    if numbers[0] is None:
        return DASH
    digits = _places(*known) if places is None else int(places)
    middle = _fixed(numbers[0], digits)
    if numbers[1] is None or numbers[2] is None:
        return middle
    return f"{middle} [{_fixed(numbers[1], digits)}, {_fixed(numbers[2], digits)}]"


def _part(holder: object, *names: str) -> object:
    for name in names:
        found = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
        if found is not None:
            return found
    return None


@register.filter(name="interval")
def interval_filter(value: object, places: int | None = None) -> str:
    """A figure with its interval, "0.774 [0.741, 0.808]".

    Args:
        value: ``(figure, low, high)``, or a dict or object with value, low and high; a bare
            number is shown alone.
        places: decimals, the same for all three; chosen by size when left out.
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        figure, low, high = [*value, None, None, None][:3]
        return _interval_text(figure, low, high, places)
    if value is None or isinstance(value, (str, int, float)):
        return _interval_text(value, None, None, places)
    return _interval_text(
        _part(value, "value", "estimate"),
        _part(value, "low", "lower", "lo"),
        _part(value, "high", "upper", "hi"),
        places,
    )


@register.simple_tag
def interval(value: object, low: object, high: object, places: int | None = None) -> str:
    """A figure with its interval: ``{% interval auc auc_low auc_high %}``."""
    return _interval_text(value, low, high, places)


@register.filter
def unlocalized(value: object) -> str:
    """A number as HTML wants it in an attribute, whatever the language of the page."""
    return str(finite(value) or 0.0)


@register.filter
def plural(count: object, words: str) -> str:
    """A count with its noun: ``3|plural:"model"`` is "3 models", ``1|plural:"entry,entries"``."""
    one, _, many = words.partition(",")
    number = finite(count)
    if number is None:
        return f"{DASH}{NBSP}{many or one + 's'}"
    return f"{num(number)}{NBSP}{one if number == 1 else many or one + 's'}"
