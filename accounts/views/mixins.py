"""How a page gets its ``Caller`` and closes itself to everybody without the capability."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from accounts.callers import Caller
from accounts.http import NotSignedIn, NoWorkspace, WorkspaceRequired, caller_of
from accounts.roles import Capability
from common.errors import NotAllowed, NotFound

View = Callable[..., HttpResponseBase]


class CallerMixin:
    """For class views: ``capability`` says who may, ``self.caller`` says who does.

    Answers 403 without the capability, 404 in a foreign workspace, and sends a person with several
    workspaces to the chooser.
    """

    capability: Capability = Capability.VIEW
    caller: Caller
    request: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        caller = _caller_or_response(request, self.capability)
        if isinstance(caller, HttpResponseBase):
            return caller
        self.caller = caller
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc,no-any-return]


def caller_required(capability: Capability) -> Callable[[View], View]:
    """For function views: sets ``request.caller``, or answers as ``CallerMixin`` does."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            caller = _caller_or_response(request, capability)
            if isinstance(caller, HttpResponseBase):
                return caller
            return view(request, *args, **kwargs)

        return wrapped

    return decorate


def _caller_or_response(request: HttpRequest, capability: Capability) -> Caller | HttpResponse:
    try:
        caller = caller_of(request)
        caller.insist(capability)
    except NotSignedIn:
        return redirect(f"{reverse('account_login')}?{_next(request)}")
    except (WorkspaceRequired, NoWorkspace):
        return redirect(f"{reverse('accounts:workspace-list')}?{_next(request)}")
    except NotFound as error:
        raise Http404(error.message) from error
    except NotAllowed as error:
        raise PermissionDenied(error.message) from error
    return caller


def _next(request: HttpRequest) -> str:
    # Only a page can be returned to; a POST would come back as a GET of the same address.
    return urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
