"""States as icon, word and tone; digests shortened for the eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django import template
from django.templatetags.static import static
from django.utils.html import format_html

from common.ui.figures import DASH

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

register = template.Library()

SPRITE = "vendor/tabler-icons-3.51.0/sprite.svg"
TONES = frozenset({"success", "danger", "warning", "primary", "secondary", "info"})


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
