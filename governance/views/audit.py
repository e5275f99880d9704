"""Pages of the audit trail: what happened as sentences, one event with its proof, the export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.http import caller_of
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from audit import keys, selectors
from audit.actions import Action
from audit.errors import NothingSealed
from audit.models import Event
from audit.services import export, prove
from audit.services.record import record

PAGE = 50
#: A healthy sealer needs half a second.
LATE_SECONDS = 60


def _action_choices() -> list[Any]:
    """Every action under its family; a family with several can be chosen whole."""
    families: dict[str, list[tuple[str, str]]] = {}
    for action in Action:
        family, _, rest = action.value.partition(".")
        families.setdefault(family, []).append((action.value, rest.replace("_", " ") or family))
    choices: list[Any] = [("", "Everything")]
    for family, members in sorted(families.items()):
        name = family.replace("_", " ").capitalize()
        whole = [(family, f"{name}: all")] if family not in dict(members) else []
        choices.append((name, whole + [(value, f"{name}: {text}") for value, text in members]))
    return choices


class AuditFilterForm(forms.Form):
    """What the list's address may ask for."""

    object = forms.CharField(
        required=False,
        max_length=200,
        label="Object",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Name or id"}),
    )
    action = forms.ChoiceField(required=False, choices=_action_choices, label="What happened")
    actor = forms.CharField(required=False, max_length=200, label="Who")
    since = forms.DateField(
        required=False, label="From", widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        required=False, label="To", widget=forms.DateInput(attrs={"type": "date"})
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "This is before the first day.")
        return cleaned

    def search(self, workspace: Any) -> QuerySet[Event]:
        """The events asked for; none while a field is wrong, which the form then says."""
        if not self.is_valid():
            return Event.objects.none()
        given = self.cleaned_data
        return selectors.search(
            workspace,
            object_text=given["object"],
            action=given["action"],
            actor=given["actor"],
            since=_midnight(given["since"]),
            before=_midnight(given["until"], days_later=1),
        )


def _midnight(day: date | None, *, days_later: int = 0) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.combine(day, time.min, UTC) + timedelta(days=days_later)
    except OverflowError:  # the last day of the calendar has none after it
        return None


@dataclass(frozen=True)
class Page:
    """Newest first; the cursors name the event beyond which the neighbouring page begins."""

    lines: list[selectors.Line]
    next_cursor: str = ""
    previous_cursor: str = ""


def page_of(found: QuerySet[Event], cursor: str) -> Page:
    """One page by keyset: as quick at the millionth event as at the first.

    ``cursor`` is ``older-{id}`` or ``newer-{id}``; anything else is the first page.
    """
    direction, _, text = cursor.partition("-")
    pk = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    found = selectors.with_place(found)
    if direction == "newer" and pk:
        rows = list(found.filter(pk__gt=pk).order_by("pk")[: PAGE + 1])
        has_newer, has_older = len(rows) > PAGE, True
        rows = rows[:PAGE][::-1]
    else:
        older = direction == "older" and pk
        rows = list((found.filter(pk__lt=pk) if older else found).order_by("-pk")[: PAGE + 1])
        has_newer, has_older = bool(older), len(rows) > PAGE
        rows = rows[:PAGE]
    if not rows:
        return Page([])
    return Page(
        selectors.lines(rows),
        next_cursor=f"older-{rows[-1].pk}" if has_older else "",
        previous_cursor=f"newer-{rows[0].pk}" if has_newer else "",
    )


class AuditListView(CallerMixin, TemplateView):
    """The workspace's trail. htmx asks for the table alone when a filter changes."""

    capability = Capability.AUDIT_VIEW

    def get_template_names(self) -> list[str]:
        name = "_audit_table" if self.request.htmx else "audit_list"
        return [f"governance/{name}.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | _list_context(self.request, self.caller)


def _list_context(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    form = AuditFilterForm(request.GET)
    found = form.search(caller.workspace)
    sealing = selectors.sealing()
    oldest = sealing.oldest_pending
    waited = (timezone.now() - oldest).total_seconds() if oldest else 0
    checkpoint = sealing.checkpoint
    return {
        "form": form,
        "page": page_of(found, request.GET.get("cursor", "")),
        "is_filtered": any(request.GET.get(name) for name in form.fields),
        "sealing": sealing,
        "waited_s": waited if waited > LATE_SECONDS else None,
        "fingerprint": keys.fingerprint(bytes(checkpoint.public_key)) if checkpoint else "",
        "workspace": caller.workspace,
    }


class AuditDetailView(CallerMixin, TemplateView):
    """One event: who, what, the exact hashed bytes, and the way from them to a signed root."""

    capability = Capability.AUDIT_VIEW
    template_name = "governance/audit_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        line = selectors.get_line(self.caller.workspace, self.kwargs["uid"])
        if line is None:
            raise Http404("There is no such event.")
        return super().get_context_data(**kwargs) | {
            "line": line,
            "proof": _shown_proof(line.event),
            "facts": _facts(line),
            "personal": [
                (_words(name), line.personal.get(name)) for name in sorted(line.body["pii"])
            ],
            "changes": _changes(line.body["before"], line.body["after"]),
            "details": [
                (_words(name), _text(value)) for name, value in sorted(line.body["details"].items())
            ],
        }


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (_words(name), _text(before.get(name)), _text(after.get(name)))
        for name in sorted({*before, *after})
    ]


def _words(name: str) -> str:
    known = {"actor_label": "Who", "object_name": "Object"}
    return known.get(name) or name.replace("_", " ").capitalize()


def _text(value: Any) -> str:
    """Text as it is, nothing as a dash, anything else as JSON."""
    if value is None or value == "":
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown_proof(event: Event) -> dict[str, Any] | None:
    proof = prove.prove(event)
    if proof is None:
        return None
    return {
        "holds": proof.holds,
        "number": proof.leaf_index,
        "leaf_hash": proof.leaf_hash.hex(),
        "hashes": [value.hex() for value in proof.hashes],
        "checkpoint": proof.checkpoint,
        "root": bytes(proof.checkpoint.root).hex(),
        "fingerprint": proof.fingerprint,
    }


def _facts(line: selectors.Line) -> list[tuple[str, Any]]:
    """Terms and descriptions, without those that this event has not."""
    body = line.body
    found = [
        ("Action", line.event.action),
        ("Time", body["at"]),
        ("Who", line.who),
        ("Pseudonym", line.event.actor_pid),
        ("Signed in by", body["actor"]["auth"].get("method", "")),
        ("Object", f"{line.event.object_type.replace('_', ' ')} {line.object_name}".strip()),
        ("Object’s id", line.event.object_id),
        ("Object’s digest", body["object"]["digest"]),
        ("Request", body["request"].get("id", "")),
        ("Job", body["job"].get("id", "")),
    ]
    return [(term, text) for term, text in found if text]


@require_POST
@caller_required(Capability.AUDIT_VIEW)
def export_trail(request: HttpRequest) -> HttpResponseBase:
    """The workspace's sealed events as a zip with its own verifier; recorded before it starts."""
    caller = caller_of(request)
    try:
        return export_response(caller)
    except NothingSealed as error:
        context = _list_context(request, caller) | {"problem": error}
        return render(request, "governance/audit_list.html", context, status=409)


def export_response(caller: Caller) -> HttpResponse | StreamingHttpResponse:
    """Record that this caller exports, then stream.

    Raises: NothingSealed: before anything is recorded.
    """
    slug = caller.workspace.slug
    pieces: Iterator[bytes] = export.chunks(workspace=slug)
    with transaction.atomic():
        record(
            Action.EXPORT_MADE,
            actor=caller.actor,
            object_type="audit",
            object_id=slug,
            object_name=f"the audit trail of {caller.workspace.name}",
            workspace=slug,
            details={"kind": "workspace"},
        )
    name = f"audit-{slug}-{timezone.now():%Y%m%dT%H%M%SZ}.zip"
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response
