"""Oneself: roles, sessions, and tokens, whose text is shown once."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts import http, selectors
from accounts.callers import Caller
from accounts.forms import TokenForm
from accounts.models import ApiToken
from accounts.roles import Capability
from accounts.services import sessions, tokens
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError, NotFound

SHOWN = 50


class ProfileView(CallerMixin, TemplateView):
    """What the house knows of the person who looks."""

    template_name = "accounts/profile.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = _context(self.request, self.caller, TokenForm())
        return super().get_context_data(**context, **kwargs)


@never_cache
@require_POST
@caller_required(Capability.VIEW)
def token_create(request: HttpRequest) -> HttpResponse:
    """Make a token for oneself; the answer is the only page that ever holds its text."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    form = TokenForm(request.POST)
    if not form.is_valid():
        return render(request, "accounts/profile.html", _context(request, caller, form), status=422)
    try:
        token, text = tokens.create(
            workspace=caller.workspace, user=caller.user, caller=caller, **form.cleaned_data
        )
    except DomainError as error:
        context = {**_context(request, caller, form), "problem": error}
        return render(request, "accounts/profile.html", context, status=409)
    context = {**_context(request, caller, TokenForm()), "new_token": token, "new_text": text}
    return render(request, "accounts/profile.html", context, status=201)


@require_POST
@caller_required(Capability.VIEW)
def token_revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    """End one of one's own tokens, or as administrator any of the workspace's."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    token = ApiToken.objects.filter(workspace=caller.workspace, key_id=key_id).first()
    if token is None:
        raise Http404("no such token")
    try:
        tokens.revoke(token=token, caller=caller)
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        context = {**_context(request, caller, TokenForm()), "problem": error}
        return render(request, "accounts/profile.html", context, status=409)
    messages.success(request, f"“{token.name}” is revoked: its next call gets 401.")
    return redirect("accounts:profile")


@require_POST
@caller_required(Capability.VIEW)
def session_end(request: HttpRequest, public_id: str) -> HttpResponse:
    """Sign out one of one's own browsers."""
    try:
        sessions.end(user=request.user, public_id=public_id)  # type: ignore[arg-type]
    except NotFound as error:
        raise Http404(error.message) from error
    messages.success(request, "That session is over.")
    return redirect("accounts:profile")


def _context(request: HttpRequest, caller: Caller, form: TokenForm) -> dict[str, Any]:
    person: Any = request.user
    mine = list(selectors.tokens_of(person, caller.workspace)[:SHOWN])
    now = timezone.now()
    return {
        "person": person,
        "workspace": caller.workspace,
        "roles": http.role_labels(caller.roles),
        "tokens": [(token, token.state_at(now)) for token in mine],
        "live_tokens": sum(token.state_at(now) == "active" for token in mine),
        "sessions": [
            (session, session.session_key == request.session.session_key)
            for session in selectors.sessions_of(person)[:SHOWN]
        ],
        "token_form": form,
    }
