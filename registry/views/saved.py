"""Saved views: an address with a name, kept, shared, renamed and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import caller_required
from common.errors import DomainError, NotFound
from registry.models import SavedView
from registry.services import views

if TYPE_CHECKING:
    from django.http import QueryDict

PAGES = {SavedView.Page.INVENTORY: "registry:model-list", SavedView.Page.SEARCH: "registry:search"}


class ViewForm(forms.Form):
    name = forms.CharField(max_length=100, label="Name")
    is_shared = forms.BooleanField(required=False, label="Everybody here sees it")


def saved_views(caller: Caller, page: str, given: QueryDict) -> dict[str, Any]:
    """What ``registry/_saved_views.html`` shows; one query."""
    here = views.kept_query(given.urlencode()) if len(given.urlencode()) < 2000 else ""
    found = list(views.views_for(caller, page)[: views.MOST * 2])
    return {
        "page": page,
        "query": here,
        "may_save": caller.user is not None,
        "views": [
            {
                "view": view,
                "url": f"{reverse(PAGES[SavedView.Page(page)])}?{view.query}",
                "is_here": view.query == here,
                "form": (
                    ViewForm(
                        initial={"name": view.name, "is_shared": view.is_shared},
                        auto_id=f"view-{view.pk}-%s",
                    )
                    if view.owner == caller.user
                    else None
                ),
            }
            for view in found
        ],
        "form": ViewForm(auto_id="new-view-%s"),
    }


@require_safe
@caller_required(Capability.VIEW)
def show(request: HttpRequest, uid: UUID) -> HttpResponse:
    """A view's own address, for mails and bookmarks: leads to its page with its filters."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    for page, route in PAGES.items():
        view = views.views_for(caller, page).filter(uid=uid).first()
        if view is not None:
            return redirect(f"{reverse(route)}?{view.query}")
    raise Http404("There is no such saved view, or its owner does not share it.")


@require_POST
@caller_required(Capability.VIEW)
def save(request: HttpRequest) -> HttpResponse:
    """Keep the filters of the page under a name."""
    page = request.POST.get("page", "")
    form = ViewForm(request.POST)
    back = reverse(PAGES.get(page, "registry:model-list"))  # type: ignore[call-overload]
    if not form.is_valid():
        messages.error(request, "A view needs a name of at most 100 characters.")
        return redirect(back)
    try:
        view = views.save(
            caller=request.caller,  # type: ignore[attr-defined]
            page=page,
            query=request.POST.get("query", ""),
            **form.cleaned_data,
        )
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(back)
    messages.success(request, f"“{view.name}” is saved.")
    return redirect(f"{back}?{view.query}")


@require_POST
@caller_required(Capability.VIEW)
def change(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Rename one's own view, share it, or stop sharing it."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    if not views.is_own(caller, uid):
        raise Http404("You have no such saved view.")
    form = ViewForm(request.POST)
    if not form.is_valid():
        messages.error(request, "A view needs a name of at most 100 characters.")
        return redirect("registry:model-list")
    try:
        view = views.rename(caller=caller, uid=uid, **form.cleaned_data)
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("registry:model-list")
    messages.success(request, f"“{view.name}” was changed.")
    return redirect(f"{reverse(PAGES[SavedView.Page(view.page)])}?{view.query}")


@require_POST
@caller_required(Capability.VIEW)
def delete(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Forget one's own view."""
    try:
        views.delete(caller=request.caller, uid=uid)  # type: ignore[attr-defined]
    except NotFound as error:
        raise Http404(error.message) from error
    messages.success(request, "The view was deleted.")
    return redirect("registry:model-list")
