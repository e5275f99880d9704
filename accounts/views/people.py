"""The workspace's people and service accounts, for administrators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts import http, selectors
from accounts.callers import Caller
from accounts.forms import PersonForm, RoleForm, ServiceAccountForm, TokenForm
from accounts.models import ServiceAccount, User
from accounts.roles import Capability, Role
from accounts.services import people, service_accounts, tokens
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError

PAGE_SIZE = 50
TEMPLATE = "accounts/people_list.html"


class PeopleListView(CallerMixin, TemplateView):
    """Who may do what here."""

    capability = Capability.WORKSPACE_ADMIN
    template_name = TEMPLATE

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**_context(self.request, self.caller), **kwargs)


@require_POST
@caller_required(Capability.WORKSPACE_ADMIN)
def person_create(request: HttpRequest) -> HttpResponse:
    """Add somebody by e-mail; they set a password by the “forgotten password” mail."""
    caller = _caller(request)
    form = PersonForm(request.POST, auto_id="person_%s")
    if not form.is_valid():
        return _page(request, status=422, person_form=form)
    try:
        person = people.add(caller=caller, **form.cleaned_data)
    except DomainError as error:
        return _page(request, status=409, person_form=form, problem=error)
    role = Role(form.cleaned_data["role"]).label.lower()
    messages.success(request, f"{person} is {role} now.")
    return redirect("accounts:people-list")


@require_POST
@caller_required(Capability.WORKSPACE_ADMIN)
def role_grant(request: HttpRequest, pid: str) -> HttpResponse:
    return _change_role(request, pid, people.grant_role, "{person} is {role} now.")


@require_POST
@caller_required(Capability.WORKSPACE_ADMIN)
def role_revoke(request: HttpRequest, pid: str) -> HttpResponse:
    return _change_role(request, pid, people.revoke_role, "{person} is no longer {role}.")


@require_POST
@caller_required(Capability.WORKSPACE_ADMIN)
def person_deactivate(request: HttpRequest, pid: str) -> HttpResponse:
    """Close a person's access at once."""
    person = _person(request, pid)
    try:
        people.deactivate(user=person, caller=_caller(request))
    except DomainError as error:
        return _page(request, status=409, problem=error)
    messages.success(request, f"{person} is deactivated; their sessions and tokens are over.")
    return redirect("accounts:people-list")


@require_POST
@caller_required(Capability.WORKSPACE_ADMIN)
def service_account_create(request: HttpRequest) -> HttpResponse:
    caller = _caller(request)
    form = ServiceAccountForm(
        request.POST, people=selectors.active_people(caller.workspace), auto_id="service_%s"
    )
    if not form.is_valid():
        return _page(request, status=422, service_form=form)
    try:
        account = service_accounts.create(caller=caller, **form.cleaned_data)
    except DomainError as error:
        return _page(request, status=409, service_form=form, problem=error)
    messages.success(request, f"The service account “{account.name}” is made. Give it a token.")
    return redirect("accounts:people-list")


@never_cache
@require_POST
@caller_required(Capability.WORKSPACE_ADMIN)
def service_account_token(request: HttpRequest, pid: str) -> HttpResponse:
    """Make a token for a service account; its text stands on this answer only."""
    caller = _caller(request)
    account = ServiceAccount.objects.filter(workspace=caller.workspace, pid=pid).first()
    if account is None:
        raise Http404("no such service account")
    form = _token_form(account, request.POST)
    if not form.is_valid():
        return _page(request, status=422, open_form=(account, form))
    try:
        token, text = tokens.create(
            workspace=caller.workspace,
            service_account=account,
            caller=caller,
            **form.cleaned_data,
        )
    except DomainError as error:
        return _page(request, status=409, open_form=(account, form), problem=error)
    return _page(request, status=201, new_token=token, new_text=text)


def _change_role(
    request: HttpRequest, pid: str, change: Callable[..., Any], said: str
) -> HttpResponse:
    caller = _caller(request)
    person = _person(request, pid)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _page(request, status=422, problem="Choose a role.")
    role = form.cleaned_data["role"]
    try:
        change(user=person, role=role, workspace=caller.workspace, caller=caller)
    except DomainError as error:
        return _page(request, status=409, problem=error)
    messages.success(request, said.format(person=person, role=Role(role).label.lower()))
    return redirect("accounts:people-list")


def _caller(request: HttpRequest) -> Caller:
    return request.caller  # type: ignore[attr-defined,no-any-return]


def _person(request: HttpRequest, pid: str) -> User:
    person = selectors.people(_caller(request).workspace).filter(pid=pid).first()
    if person is None:
        raise Http404("no such person here")
    return person


def _page(
    request: HttpRequest,
    *,
    status: int,
    open_form: tuple[ServiceAccount, TokenForm] | None = None,
    **more: Any,
) -> HttpResponse:
    context = {**_context(request, _caller(request), open_form), **more}
    return render(request, TEMPLATE, context, status=status)


def _context(
    request: HttpRequest,
    caller: Caller,
    open_form: tuple[ServiceAccount, TokenForm] | None = None,
) -> dict[str, Any]:
    workspace = caller.workspace
    listed = selectors.people(workspace).order_by("-is_active", "email")
    page = Paginator(listed, PAGE_SIZE).get_page(request.GET.get("page"))
    held = selectors.roles_by_person(workspace, [person.pk for person in page])
    accounts = list(selectors.service_accounts(workspace)[:PAGE_SIZE])
    return {
        "workspace": workspace,
        "page_obj": page,
        "rows": [_row(person, held.get(person.pk, set()), caller) for person in page],
        "signers": selectors.count_signers(workspace),
        "accounts": [_account_row(account, open_form) for account in accounts],
        # Several forms on one page: each needs ids of its own.
        "person_form": PersonForm(auto_id="person_%s"),
        "service_form": ServiceAccountForm(
            people=selectors.active_people(workspace), auto_id="service_%s"
        ),
    }


def _account_row(
    account: ServiceAccount, open_form: tuple[ServiceAccount, TokenForm] | None
) -> dict[str, Any]:
    is_open = open_form is not None and open_form[0].pk == account.pk
    form = open_form[1] if open_form is not None and is_open else _token_form(account)
    return {
        "account": account,
        "roles": http.role_labels(account.roles),
        "form": form,
        "is_open": is_open,
    }


def _token_form(account: ServiceAccount, data: Any = None) -> TokenForm:
    return TokenForm(data, auto_id=f"token_{account.pk}_%s")


def _row(person: User, roles: set[str], caller: Caller) -> dict[str, Any]:
    return {
        "person": person,
        "is_self": caller.user is not None and caller.user.pk == person.pk,
        "roles": [(role.value, role.label) for role in Role if role.value in roles],
        "others": [(role.value, role.label) for role in Role if role.value not in roles],
    }
