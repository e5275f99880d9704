"""The top bar: the five sections and the account menu."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django import template
from django.urls import NoReverseMatch, reverse

from common.ui.figures import finite

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.template import Context

register = template.Library()


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
        number = finite(counts.get(section.count)) if section.count else None
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
