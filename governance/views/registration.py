"""A version's registration check: the card, polled while evidence runs, and running it again."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.generic import View

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin
from common.errors import DomainError, NotFound
from governance.parts import RegistrationPart
from governance.services import registration
from registry import selectors as registry
from registry.models import ModelVersion


class RegistrationCheckView(CallerMixin, View):
    """GET: the card alone. POST: run the check again."""

    def get(self, request: HttpRequest, name: str, number: int) -> HttpResponse:
        version = self._version(name, number)
        part = RegistrationPart().context(caller=self.caller, model=version.model, version=version)
        return render(request, RegistrationPart.template, {"part": part})

    def post(self, request: HttpRequest, name: str, number: int) -> HttpResponse:
        version = self._version(name, number)
        if not self.caller.may(Capability.EVIDENCE_RUN):
            raise PermissionDenied
        try:
            check = registration.run_again(caller=self.caller, version=version)
        except DomainError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, f"Checked again: {check.get_state_display().lower()}.")
        page: Any = reverse("registry:version-detail", args=[name, number])
        return redirect(f"{page}#registration")

    def _version(self, name: str, number: int) -> ModelVersion:
        try:
            return registry.get_version(self.caller.workspace, name, number)
        except NotFound as error:
            raise Http404(error.message) from error
