"""Where new versions get their endpoint from: the form, its end, and trying once more by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError
from registry import selectors as registry
from registry.views.common import found_or_404, put_beside
from serving import selectors
from serving.forms_sources import EndpointSourceForm
from serving.services import endpoints, provide, sources

_FIELDS = {"mapping": "path", "secrets": "secret"}


class SourceEditView(CallerMixin, TemplateView):
    """Say how a version without an endpoint gets one."""

    template_name = "serving/source_form.html"
    capability = Capability.ENDPOINT_EDIT

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        context = self._context(kwargs["name"])
        form = EndpointSourceForm(source=context["source"])
        return self.render_to_response({**context, "form": form})

    def post(self, request: HttpRequest, name: str) -> HttpResponse:
        context = self._context(name)
        model = context["model"]
        form = EndpointSourceForm(request.POST, source=context["source"])
        if not form.is_valid():
            return self.render_to_response({**context, "form": form}, status=422)
        try:
            with endpoints.refusals_recorded(caller=self.caller, name=f"hook of {model.name}"):
                sources.put(caller=self.caller, model=model, **form.content())
        except DomainError as error:
            error.fields = {_FIELDS.get(key, key): it for key, it in error.fields.items()}
            problem = put_beside(form, error)
            return self.render_to_response(
                {**context, "form": form, "problem": problem}, status=409
            )
        messages.success(request, f"New versions of {model.name} get their endpoint by themselves.")
        return redirect("registry:model-detail", name=model.name)

    def _context(self, name: str) -> dict[str, Any]:
        model = found_or_404(lambda: registry.get_model(self.caller.workspace, name))
        source = selectors.source_of(model)
        headers = sorted(it.header for it in source.secrets.all()) if source else []
        return {"model": model, "source": source, "headers": headers}


@require_POST
@caller_required(Capability.ENDPOINT_EDIT)
def remove(request: Any, name: str) -> HttpResponse:
    """New versions get none by themselves any more."""
    model = found_or_404(lambda: registry.get_model(request.caller.workspace, name))
    try:
        sources.remove(caller=request.caller, model=model)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"New versions of {model.name} get no endpoint by themselves.")
    return redirect("registry:model-detail", name=name)


@require_POST
@caller_required(Capability.ENDPOINT_EDIT)
def provide_now(request: Any, name: str, number: int) -> HttpResponse:
    """Try to get this version an endpoint, once more."""
    version = found_or_404(lambda: registry.get_version(request.caller.workspace, name, number))
    try:
        provide.begin(version=version, caller=request.caller)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"An endpoint of {version} is being made.")
    return redirect("registry:version-detail", name=name, number=number)
