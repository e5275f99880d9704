"""The words and figures of every page: states, digests, times, intervals, cards and fields.

Whatever comes in is escaped (``format_html``); nothing here trusts its input. Every filter shows
``None`` as an en dash, so that a page never prints "None" and never breaks on what is not known.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import template
from django.conf import settings
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.forms.widgets import Textarea
from django.http import QueryDict
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.text import slugify

if TYPE_CHECKING:
    from django.core.paginator import Page
    from django.http import HttpRequest
    from django.template import Context
    from django.utils.safestring import SafeString

register = template.Library()

DASH = "–"
NBSP = "\u00a0"
MINUS = "\u2212"
SPRITE = "vendor/tabler-icons-3.51.0/sprite.svg"
TONES = frozenset({"success", "danger", "warning", "primary", "secondary", "info"})


# --- States -------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown: colour is the third sign, after the word and the icon."""

    tone: str
    icon: str
    word: str


LOOKS: dict[str, Look] = {
    # gates
    "passes": Look("success", "check", "Passes"),
    "fails": Look("danger", "x", "Fails"),
    "warns": Look("warning", "alert-triangle", "Warns"),
    "could_not_compute": Look("warning", "question-mark", "Could not be computed"),
    "not_applicable": Look("secondary", "minus", "Not applicable"),
    "waived": Look("warning", "flag", "Waived"),
    # clearance, requests and signatures
    "open": Look("primary", "circle-dot", "Open"),
    "waiting": Look("warning", "clock", "Waiting"),
    "cleared": Look("success", "check", "Cleared"),
    "blocked": Look("danger", "ban", "Blocked"),
    "approved": Look("success", "check", "Approved"),
    "rejected": Look("danger", "x", "Rejected"),
    "withdrawn": Look("secondary", "arrow-back-up", "Withdrawn"),
    "expired": Look("secondary", "calendar-off", "Expired"),
    "superseded": Look("secondary", "arrow-back-up", "Superseded"),
    "void": Look("danger", "ban", "Void"),
    "valid": Look("success", "check", "Valid"),
    "signed": Look("success", "writing-sign", "Signed"),
    "conditional": Look("warning", "flag", "Conditional"),
    "invalidated": Look("danger", "ban", "No longer valid"),
    "carried_out": Look("success", "check", "Carried out"),
    "approve": Look("success", "writing-sign", "Approves"),
    "reject": Look("danger", "writing-sign", "Rejects"),
    # what a gate does when it fails, and where a figure comes from
    "block": Look("secondary", "ban", "Blocks"),
    "warn": Look("secondary", "alert-triangle", "Warns only"),
    "measured": Look("secondary", "shield-check", "Measured"),
    "computed": Look("secondary", "check", "Computed"),
    "reported": Look("secondary", "question-mark", "Reported"),
    # jobs, rollouts and their steps
    "queued": Look("secondary", "hourglass", "Queued"),
    "running": Look("primary", "player-play", "Running"),
    "succeeded": Look("success", "check", "Succeeded"),
    "failed": Look("danger", "x", "Failed"),
    "cancelled": Look("secondary", "ban", "Cancelled"),
    "cancelling": Look("secondary", "ban", "Being cancelled"),
    "paused": Look("warning", "player-pause", "Paused"),
    "rolled_back": Look("danger", "arrow-back-up", "Rolled back"),
    "rolling_back": Look("warning", "arrow-back-up", "Rolling back"),
    "aborted": Look("danger", "ban", "Aborted"),
    "needs_operator": Look("danger", "user-exclamation", "Needs an operator"),
    "passed": Look("success", "check", "Passed"),
    "complete": Look("success", "check", "Complete"),
    "profiling": Look("primary", "player-play", "Being profiled"),
    "setting": Look("primary", "player-play", "Setting weights"),
    "sent": Look("success", "check", "Sent"),
    "baking": Look("primary", "hourglass", "Baking"),
    "skipped": Look("secondary", "minus", "Skipped"),
    "inconclusive": Look("warning", "question-mark", "Inconclusive"),
    # versions, routes, endpoints and monitors
    "live": Look("success", "rocket", "Live"),
    "retired": Look("secondary", "archive", "Retired"),
    "draft": Look("secondary", "minus", "Draft"),
    "candidate": Look("primary", "circle-dot", "Candidate"),
    "suspended": Look("danger", "player-stop", "Suspended"),
    "healthy": Look("success", "check", "Healthy"),
    "unhealthy": Look("danger", "x", "Unhealthy"),
    "degraded": Look("warning", "alert-triangle", "Degraded"),
    "ready": Look("success", "check", "Ready"),
    "failing": Look("danger", "x", "Failing"),
    "unknown": Look("secondary", "question-mark", "Unknown"),
    "quiet": Look("success", "check", "Quiet"),
    "drifted": Look("danger", "alert-triangle", "Drifted"),
    "no_data": Look("warning", "question-mark", "No data"),
    # alerts, findings and the trail
    "firing": Look("danger", "x", "Firing"),
    "acknowledged": Look("warning", "flag", "Acknowledged"),
    "muted": Look("secondary", "player-pause", "Muted"),
    "resolved": Look("success", "check", "Resolved"),
    "closed": Look("success", "check", "Closed"),
    "overdue": Look("danger", "clock", "Overdue"),
    "accepted": Look("warning", "flag", "Accepted"),
    "verified": Look("success", "shield-check", "Verified"),
    "sealed": Look("success", "lock", "Sealed"),
    "broken": Look("danger", "x", "Broken"),
    # severities
    "critical": Look("danger", "x", "Critical"),
    "high": Look("danger", "alert-triangle", "High"),
    "medium": Look("warning", "alert-triangle", "Medium"),
    "low": Look("secondary", "info-circle", "Low"),
    "info": Look("secondary", "info-circle", "Info"),
}
_ALIASES = {
    "pass": "passes",
    "ok": "passes",
    "fail": "fails",
    "warning": "warns",
    "could_not_be_computed": "could_not_compute",
    "could_not_computed": "could_not_compute",
    "not_computed": "could_not_compute",
    "not_computable": "could_not_compute",
    "error": "could_not_compute",
    "na": "not_applicable",
    "n/a": "not_applicable",
    "waits": "waiting",
    "pending": "waiting",
    "canceled": "cancelled",
    "cancel_requested": "cancelling",
    "done": "succeeded",
    "completed": "succeeded",
    "voided": "void",
    "down": "unhealthy",
    "up": "healthy",
    "active": "live",
    "ack": "acknowledged",
}


def _state_key(state: object) -> str:
    raw = str(getattr(state, "value", state) or "").strip().casefold()
    key = raw.replace("-", "_").replace(" ", "_")
    return _ALIASES.get(key, key)


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """A decorative icon of the sprite; the words beside it carry the meaning."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        extra,
        static(SPRITE),
        name,
    )


@register.simple_tag
def badge(state: object, label: object = "", tone: str = "", icon: str = "") -> SafeString:
    """A state as icon, word and tone; a state nobody foresaw is shown neutrally, not hidden.

    Args:
        state: a ``TextChoices`` member or its value; case, spaces and hyphens do not matter.
        label: words to show instead of the usual ones.
        tone: success, danger, warning, primary or secondary, when the state does not say.
        icon: a name in the sprite, when the state does not say.
    """
    key = _state_key(state)
    known = LOOKS.get(key)
    own = getattr(state, "label", "") or key.replace("_", " ").capitalize()
    word = str(label or (known.word if known else own) or DASH)
    if tone not in TONES:
        tone = known.tone if known else "secondary"
    shown = icon or (known.icon if known else "")
    return format_html(
        '<span class="badge bg-{0}-subtle text-{0}-emphasis">{1}{2}</span>',
        tone,
        _icon(shown) if shown else "",
        word,
    )


def _icon(name: str, extra: str = "") -> SafeString:
    # ``badge`` has a parameter called icon, which hides the tag of that name
    return icon(name, extra)


# --- Digests ------------------------------------------------------------------------------------
@register.simple_tag
def digest(value: object, label: str = "digest") -> SafeString:
    """A SHA-256 shortened for the eye, whole for a screen reader and for the clipboard."""
    text = str(value or "")
    if not text:
        return format_html("{}", DASH)
    algorithm, _, rest = text.rpartition(":")
    short = f"{rest[:4]}…{rest[-4:]}" if len(rest) > 12 else rest
    if algorithm:
        short = f"{algorithm}:{short}"
    return format_html(
        '<span class="digest"><code aria-hidden="true" title="{0}">{1}</code>'
        '<span class="visually-hidden">{0}</span>'
        '<button type="button" class="btn btn-action" data-copy="{0}" hidden '
        'aria-label="Copy {2} {1}">{3}</button></span>',
        text,
        short,
        label,
        _icon("copy"),
    )


# --- Times --------------------------------------------------------------------------------------
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
    number = _number(value)
    if number is None:
        return DASH
    sign = MINUS if number < 0 else ""
    seconds = abs(number)
    if seconds < 1:
        return f"{sign}{round(seconds * 1000)}{NBSP}ms"
    if seconds < 10:
        return f"{sign}{_trim(f'{seconds:.1f}')}{NBSP}s"
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


# --- Figures ------------------------------------------------------------------------------------
def _number(value: object) -> float | None:
    """A finite float, or nothing: NaN and infinity are "not known" on a page."""
    if value is None or isinstance(value, bool) or value == "":
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _trim(text: str) -> str:
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
    number = _number(value)
    if number is None:
        return DASH
    if places is None:
        places = 0 if float(number).is_integer() else _places(number)
    return _fixed(number, int(places))


@register.filter
def shortnum(value: object) -> str:
    """A large figure in short: 950, 12.3 k, 413 k, 1.2 M, 3.4 G."""
    number = _number(value)
    if number is None:
        return DASH
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999,950 would read "1000 k"
        if abs(number) >= size * 0.9995 and (size > 1e3 or abs(number) >= 1e3):
            scaled = number / size
            places = 0 if abs(scaled) >= 100 else 1
            return f"{_trim(_fixed(scaled, places))}{NBSP}{unit}"
    return num(number)


@register.filter
def pct(value: object, places: int = 1) -> str:
    """A share from 0 to 1 as a percentage: 0.246 is 24.6 %."""
    number = _number(value)
    return DASH if number is None else f"{_fixed(number * 100, int(places))}{NBSP}%"


@register.filter
def signed(value: object, places: int | None = None) -> str:
    """A difference that always shows its direction: +0.018, −0.004, ±0."""
    number = _number(value)
    if number is None:
        return DASH
    if places is None:
        places = 0 if number.is_integer() else _places(number)
    text = _fixed(number, int(places))
    if not text.strip(MINUS + "0.,"):
        return "±0"
    return text if text.startswith(MINUS) else f"+{text}"


def _interval_text(value: object, low: object, high: object, places: int | None) -> str:
    numbers = [_number(part) for part in (value, low, high)]
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
    return str(_number(value) or 0.0)


@register.filter
def plural(count: object, words: str) -> str:
    """A count with its noun: ``3|plural:"model"`` is "3 models", ``1|plural:"entry,entries"``."""
    one, _, many = words.partition(",")
    number = _number(count)
    if number is None:
        return f"{DASH}{NBSP}{many or one + 's'}"
    return f"{num(number)}{NBSP}{one if number == 1 else many or one + 's'}"


# --- Parts of a page ----------------------------------------------------------------------------
@register.simple_block_tag
def wrap(content: SafeString, tag: str, css: str = "") -> SafeString | str:
    """Put an element round a block, and nothing round an empty one."""
    inner = content.strip()
    if not inner:
        return ""
    return format_html('<{0} class="{1}">{2}</{0}>', tag, css, content)


@register.simple_block_tag
def card(
    content: SafeString,
    title: object,
    id: str = "",
    flush: bool = False,
    fold: bool = False,
    note: object = "",
) -> SafeString:
    """A section with a heading: ``{% card "Not known" %}…{% endcard %}``.

    Args:
        content: what stands between the tags; its author escaped it already.
        title: the heading, level 2.
        id: anchor of the section; made from the title when left out.
        flush: no padding, for a table that fills the card.
        fold: closed until somebody opens it; for what is in order.
        note: a few grey words at the right of the heading.
    """
    anchor = id or slugify(str(title)) or "section"
    body = content if flush else format_html('<div class="card-body">{}</div>', content)
    extra = format_html('<span class="card-note">{}</span>', note) if note else ""
    if fold:
        return format_html(
            '<details class="card mb-3" id="{}"><summary class="card-header">'
            '<span class="card-title">{}</span>{}</summary>{}</details>',
            anchor,
            title,
            extra,
            body,
        )
    return format_html(
        '<section class="card mb-3" id="{0}" aria-labelledby="{0}-title">'
        '<div class="card-header"><h2 class="card-title" id="{0}-title">{1}</h2>{2}</div>'
        "{3}</section>",
        anchor,
        title,
        extra,
        body,
    )


@register.simple_block_tag
def scroll(content: SafeString, label: object) -> SafeString:
    """A table that scrolls by itself on a narrow screen, and by keyboard; ``label`` names it."""
    return format_html(
        '<div class="table-responsive" tabindex="0" role="region" '
        'aria-label="{}, a table that scrolls">{}</div>',
        label,
        content,
    )


@register.filter
def paired(row: Iterable[Any], columns: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Each cell of a row with its column: ``[(column, cell), …]``; columns may be too few."""
    cells = list(row)
    heads = [*columns, *[""] * (len(cells) - len(columns))]
    return list(zip(heads, cells, strict=False))


@register.simple_tag
def page_numbers(page: Page[Any]) -> list[int | str]:
    """The page numbers worth a link, with an ellipsis for the others."""
    elided = page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1)
    return [n if isinstance(n, int) else "…" for n in elided]


@register.simple_tag(takes_context=True)
def query(context: Context, name: str, value: object) -> str:
    """The present query string with one parameter set: ``href="{% query 'page' 3 %}"``.

    Unlike Django's ``querystring`` it also works where the context is no ``RequestContext``,
    as inside a table of django-tables2.
    """
    request = context.get("request")
    parameters = request.GET.copy() if request is not None else QueryDict(mutable=True)
    parameters[name or "page"] = str(value)
    return f"?{parameters.urlencode()}"


@register.simple_tag
def product_version() -> str:
    """The version in the footer, where the settings say one."""
    return str(getattr(settings, "VERSION", ""))


# --- Forms --------------------------------------------------------------------------------------
def _widget_class(widget: object) -> str:
    if isinstance(widget, (CheckboxInput, RadioSelect, CheckboxSelectMultiple)):
        return "form-check-input"
    return "form-select" if isinstance(widget, Select) else "form-control"


@register.inclusion_tag("components/_field.html", name="field")
def field_tag(
    field: BoundField, label: str = "", rows: int | None = None, quiet: bool = False
) -> dict[str, object]:
    """One form field: visible label, widget, hint, and its errors beside it.

    Args:
        field: a bound field.
        label: words instead of the field's own label.
        rows: height of a text area.
        quiet: do not say "(optional)"; for filters, where everything is.
    """
    widget = field.field.widget
    attrs: dict[str, str | bool] = {}
    is_group = isinstance(widget, (RadioSelect, CheckboxSelectMultiple))
    css = [str(widget.attrs.get("class", "")), "" if is_group else _widget_class(widget)]
    if field.errors:
        css.append("is-invalid")
    if any(css):
        attrs["class"] = " ".join(part for part in css if part)
    if isinstance(widget, Textarea) and (rows or str(widget.attrs.get("rows")) == "10"):
        attrs["rows"] = str(
            rows or 4
        )  # Django's own default of ten pushes the buttons out of sight
    described = [f"{field.auto_id}_helptext"] if field.help_text and field.auto_id else []
    if field.errors and field.auto_id:
        described.append(f"{field.auto_id}_error")
    if described:
        attrs["aria-describedby"] = " ".join(described)
    return {
        "field": field,
        "widget_html": field.as_widget(attrs=attrs),
        "label": label or field.label,
        "is_check": isinstance(widget, CheckboxInput),
        "is_group": is_group,
        "choices": _choices(field) if is_group else [],
        "optional": not quiet and not field.field.required,
    }


def _choices(field: BoundField) -> list[dict[str, object]]:
    """Radio buttons or check boxes one by one, each with a label of its own."""
    found: list[dict[str, object]] = []
    for choice in field.subwidgets:
        choice.data["attrs"]["class"] = "form-check-input"
        found.append(
            {
                "widget": choice.tag(wrap_label=False),
                "label": choice.choice_label,
                "id": choice.id_for_label,
            }
        )
    return found


# --- The top bar --------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the top bar."""

    key: str
    label: str
    route: str
    count: str = ""
    one: str = ""
    many: str = ""
    tone: str = "secondary"


SECTIONS = (
    Section(
        "requests",
        "Requests",
        "governance:request-list",
        "requests_waiting",
        "waits for you",
        "wait for you",
    ),
    Section("inventory", "Inventory", "registry:model-list"),
    Section(
        "monitoring",
        "Monitoring",
        "monitoring:monitor-list",
        "alerts_open",
        "open alert",
        "open alerts",
        "danger",
    ),
    Section(
        "findings",
        "Findings",
        "governance:finding-list",
        "findings_open",
        "open finding",
        "open findings",
    ),
    Section("audit", "Audit trail", "governance:audit-list"),
)
_SECTION_OF_NAMESPACE = {
    "registry": "inventory",
    "serving": "inventory",
    "evaluation": "inventory",
    "monitoring": "monitoring",
    "delivery": "requests",
    "governance": "requests",
    "audit": "audit",
}


def _current_section(context: Context) -> str:
    forced = context.get("section")
    if isinstance(forced, str) and forced:
        return forced
    request = context.get("request")
    match = getattr(request, "resolver_match", None)
    if match is None:
        return ""
    name = match.url_name or ""
    for word in ("finding", "audit"):
        if name.startswith(word):
            return "findings" if word == "finding" else word
    return _SECTION_OF_NAMESPACE.get(match.namespace.split(":")[-1], "")


def _url(route: str, request: HttpRequest | None) -> str:
    """Where a route is, or nothing: a page never breaks because another is not there."""
    try:
        return reverse(route)
    except NoReverseMatch:
        match = getattr(request, "resolver_match", None)
        held = match.kwargs if match else {}
        named = {k: v for k, v in held.items() if k in {"workspace", "workspace_slug", "slug"}}
        try:
            return reverse(route, kwargs=named) if named else ""
        except NoReverseMatch:
            return ""


@register.inclusion_tag("components/_nav.html", takes_context=True)
def main_nav(context: Context) -> dict[str, object]:
    """The five sections, the current one marked, with what waits there."""
    counts = context.get("nav")
    counts = counts if isinstance(counts, Mapping) else {}
    current = _current_section(context)
    entries = []
    closed = counts.get("closed_sections") or ()
    for section in SECTIONS:
        if section.key in closed:
            continue
        url = _url(section.route, context.get("request"))
        number = _number(counts.get(section.count)) if section.count else None
        entries.append(
            {
                "label": section.label,
                "url": url,
                "current": section.key == current,
                "count": int(number) if number else 0,
                "words": section.one if number == 1 else section.many,
                "tone": section.tone,
            }
        )
    return {"entries": [entry for entry in entries if entry["url"]]}


@register.inclusion_tag("components/_account_menu.html", takes_context=True)
def account_menu(context: Context) -> dict[str, object]:
    """Who is signed in, where, as what; other workspaces; the way out."""
    nav = context.get("nav")
    nav = nav if isinstance(nav, Mapping) else {}
    request = context.get("request")
    user = context.get("user") or getattr(request, "user", None)
    workspace = nav.get("workspace") or getattr(request, "workspace", None)
    name = nav.get("user_name") or (user.get_full_name() or user.get_username() if user else "")
    workspaces = list(nav.get("workspaces") or [])
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "user": user,
        "workspace": getattr(workspace, "name", workspace) or "",
        "user_name": name,
        "roles": ", ".join(str(role).lower() for role in nav.get("roles") or []),
        "workspaces": workspaces if len(workspaces) > 1 else [],
        "may_administer": bool(nav.get("may_administer")),
    }


@register.simple_tag
def lines(items: Iterable[object]) -> SafeString:
    """Sentences as list items, each escaped."""
    return format_html_join("", "<li>{}</li>", ((item,) for item in items))
