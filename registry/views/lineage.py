"""Links of a version, and the way from a semantic version to its number."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from django.views.generic import View

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError
from registry import selectors, selectors_lineage
from registry.forms_lineage import LinkForm
from registry.models import ModelVersion
from registry.services import links
from registry.views.common import found_or_404, put_beside
from registry.views.versions import _page


class SemanticVersionView(CallerMixin, View):
    """``models/credit/versions/2.1.0/`` leads to the version's page."""

    def get(self, request: HttpRequest, name: str, semantic: str) -> HttpResponse:
        version = found_or_404(
            lambda: selectors_lineage.by_semantic(self.caller.workspace, name, semantic)
        )
        return redirect("registry:version-detail", name=version.model.name, number=version.number)


@require_POST
@caller_required(Capability.MODEL_EDIT)
def add_link(request: Any, name: str, number: int) -> HttpResponse:
    """Note a page elsewhere about the version."""
    version = _version(request, name, number)
    form = LinkForm(request.POST, auto_id="link_%s")
    if not form.is_valid():
        return _again(request, version, form, status=422)
    try:
        links.add(caller=request.caller, version=version, **form.cleaned_data)
    except DomainError as error:
        return _again(request, version, form, status=409, problem=put_beside(form, error))
    messages.success(request, "The link is added.")
    return redirect("registry:version-detail", name=name, number=number)


@require_POST
@caller_required(Capability.MODEL_EDIT)
def remove_link(request: Any, name: str, number: int, uid: UUID) -> HttpResponse:
    """Take a link off."""
    version = _version(request, name, number)
    found_or_404(lambda: links.remove(caller=request.caller, version=version, uid=uid))
    messages.success(request, "The link is taken off.")
    return redirect("registry:version-detail", name=name, number=number)


def _again(
    request: Any, version: ModelVersion, form: LinkForm, *, status: int, problem: Any = None
) -> HttpResponse:
    version.link_form = form  # type: ignore[attr-defined]
    return _page(request, version, status=status, problem=problem)


def _version(request: Any, name: str, number: int) -> ModelVersion:
    version: ModelVersion = found_or_404(
        lambda: selectors.get_version(request.caller.workspace, name, number)
    )
    return version
