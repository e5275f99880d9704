"""The outbox with its states, and the allow-list with its form. For administrators."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError, Invalid, NotFound
from outbound import selectors
from outbound.forms import DestinationForm, MessageFilter
from outbound.models import Message
from outbound.services import destinations

PER_PAGE = 50
ENTRIES_SHOWN = 200


class MessageListView(CallerMixin, TemplateView):
    """What was told outside, what waits, what was given up; and where calls may go."""

    capability = Capability.WORKSPACE_ADMIN
    template_name = "outbound/message_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = MessageFilter(self.request.GET or None)
        rows = selectors.messages_for(self.caller.workspace)
        if form.is_valid():
            rows = rows.filter(
                **{name: value for name, value in form.cleaned_data.items() if value}
            )
        every = selectors.messages_for(self.caller.workspace)
        entries = selectors.destinations_for(self.caller.workspace)
        context = {
            "form": form,
            "page_obj": Paginator(rows, PER_PAGE).get_page(self.request.GET.get("page")),
            "queued": every.filter(state=Message.State.QUEUED).count(),
            "failed": every.filter(state=Message.State.FAILED).count(),
            "entries": entries.order_by(F("revoked_at").desc(nulls_first=True), "-pk")[
                :ENTRIES_SHOWN
            ],
            "destination_form": DestinationForm(),
        }
        return super().get_context_data(**{**context, **kwargs})


@require_POST
@caller_required(Capability.WORKSPACE_ADMIN)
def destination_allow(request: HttpRequest) -> HttpResponse:
    form = DestinationForm(request.POST)
    if not form.is_valid():
        return _again(request, 422, destination_form=form)
    try:
        entry = destinations.allow(**form.cleaned_data, caller=_caller(request))
    except Invalid as error:
        for name, texts in error.fields.items():
            form.add_error(name, texts)
        return _again(request, 422, destination_form=form)
    except DomainError as error:
        return _again(request, 409, destination_form=form, problem=error)
    messages.success(request, f"{entry} may be called now.")
    return redirect("outbound:message-list")


@require_POST
@caller_required(Capability.WORKSPACE_ADMIN)
def destination_revoke(request: HttpRequest, uid: UUID) -> HttpResponse:
    try:
        entry = destinations.revoke(uid=uid, caller=_caller(request))
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _again(request, 409, problem=error)
    messages.success(request, f"{entry} may no longer be called.")
    return redirect("outbound:message-list")


def _caller(request: HttpRequest) -> Caller:
    caller: Caller = request.caller  # type: ignore[attr-defined]
    return caller


def _again(request: HttpRequest, status: int, **context: Any) -> HttpResponse:
    view = MessageListView()
    view.setup(request)
    view.caller = _caller(request)
    return render(
        request, MessageListView.template_name, view.get_context_data(**context), status=status
    )
