"""Endpoints: the list, one with its last probe, the form that adds one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError
from registry import checks
from registry import selectors as registry
from registry.views.common import found_or_404, put_beside
from serving import selectors
from serving.errors import EndpointRejected, EndpointUnavailable
from serving.filters import EndpointFilter
from serving.forms import EndpointForm
from serving.models import Endpoint
from serving.services import endpoints

PAGE = 50
_FIELDS = {"mapping": "path", "secrets": "secret"}


class EndpointListView(CallerMixin, TemplateView):
    """Every endpoint of the workspace, the newest first."""

    template_name = "serving/endpoint_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = selectors.endpoints_for(self.caller.workspace)
        filtered = EndpointFilter(self.request.GET, queryset=found)
        shown = filtered.qs if filtered.is_valid() else found.none()
        page = Paginator(shown, PAGE).get_page(self.request.GET.get("page"))
        in_use = found.filter(retired_at=None)
        return {
            "filter": filtered,
            "page": page,
            "total": found.count(),
            "in_use": in_use.count(),
            "failing": in_use.filter(state=Endpoint.State.FAILING).count(),
            "unknown": in_use.filter(state=Endpoint.State.UNKNOWN).count(),
        }


class EndpointDetailView(CallerMixin, TemplateView):
    """One endpoint: does it answer, how is its answer read, what was found last."""

    template_name = "serving/endpoint_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        endpoint = _endpoint(self, kwargs["uid"])
        return _context(self.caller, endpoint)


class EndpointCreateView(CallerMixin, TemplateView):
    """Say where a version answers."""

    template_name = "serving/endpoint_form.html"
    capability = Capability.ENDPOINT_EDIT

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        version = self._version(kwargs["name"], kwargs["number"])
        columns = [str(it.get("name")) for it in version.signature.get("inputs", ())]
        form = EndpointForm(initial={"input_columns": "\n".join(columns)})
        return self.render_to_response({"form": form, "version": version})

    def post(self, request: HttpRequest, name: str, number: int) -> HttpResponse:
        version = self._version(name, number)
        form = EndpointForm(request.POST)
        is_valid = form.is_valid()
        differences = checks.columns(version, form.cleaned_data.get("input_columns") or ())
        shown = {"form": form, "version": version, "differences": differences}
        if not is_valid:
            return self.render_to_response(shown, status=422)
        try:
            with endpoints.refusals_recorded(caller=self.caller, name=form.cleaned_data["name"]):
                endpoint = endpoints.create(caller=self.caller, version=version, **form.content())
        except DomainError as error:
            error.fields = {_FIELDS.get(key, key): it for key, it in error.fields.items()}
            problem = put_beside(form, error)
            return self.render_to_response({**shown, "problem": problem}, status=409)
        messages.success(
            request, f"{endpoint.name} is added. Probe it: nothing was sent there yet."
        )
        if differences:
            said = " ".join(it.sentence for it in differences[:3])
            messages.warning(request, f"Its columns are not what the release says: {said}")
        return redirect("serving:endpoint-detail", uid=endpoint.uid)

    def _version(self, name: str, number: int) -> Any:
        return found_or_404(lambda: registry.get_version(self.caller.workspace, name, number))


class VersionEndpointsView(CallerMixin, TemplateView):
    """The part of a version's page that says where it answers."""

    template_name = "serving/_version_endpoints.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        version = found_or_404(
            lambda: registry.get_version(self.caller.workspace, kwargs["name"], kwargs["number"])
        )
        found = list(selectors.endpoints_of(version)[:PAGE])
        provisions = list(selectors.provisions_of(version)[:PAGE])
        return {
            "version": version,
            "endpoints": found,
            "provisions": provisions,
            "may_provide": selectors.has_source(version.model_id)
            and self.caller.may(Capability.ENDPOINT_EDIT)
            and all(endpoint.retired_at is not None for endpoint in found)
            and all(provision.finished_at is not None for provision in provisions),
        }


@require_POST
@caller_required(Capability.ENDPOINT_EDIT)
def probe(request: Any, uid: UUID) -> HttpResponse:
    """Try a real predict, and show what came of it on the endpoint's page."""
    endpoint = _endpoint(request, uid)
    try:
        endpoints.probe(caller=request.caller, endpoint=endpoint)
    except (EndpointUnavailable, EndpointRejected):
        # What was found stands on the page: that is what a probe is for.
        return redirect("serving:endpoint-detail", uid=uid)
    except DomainError as error:
        return _page(request, endpoint, error)
    messages.success(request, f"{endpoint.name} answered.")
    return redirect("serving:endpoint-detail", uid=uid)


@require_POST
@caller_required(Capability.ENDPOINT_EDIT)
def retire(request: Any, uid: UUID) -> HttpResponse:
    """Take an endpoint out of use for good."""
    endpoint = _endpoint(request, uid)
    try:
        endpoints.retire(caller=request.caller, endpoint=endpoint)
    except DomainError as error:
        return _page(request, endpoint, error)
    messages.success(request, f"{endpoint.name} is retired.")
    return redirect("serving:endpoint-detail", uid=uid)


def _endpoint(holder: Any, uid: UUID) -> Endpoint:
    endpoint: Endpoint = found_or_404(lambda: selectors.get_endpoint(holder.caller.workspace, uid))
    return endpoint


def _page(request: Any, endpoint: Endpoint, problem: DomainError) -> HttpResponse:
    context = {**_context(request.caller, endpoint), "problem": problem}
    return render(request, "serving/endpoint_detail.html", context, status=409)


def _context(caller: Any, endpoint: Endpoint) -> dict[str, Any]:
    return {
        "endpoint": endpoint,
        "version": endpoint.version,
        "model": endpoint.version.model,
        "detail": endpoint.probe_detail,
        "secrets": sorted(secret.header for secret in endpoint.secrets.all()),
        "may_edit": caller.may(Capability.ENDPOINT_EDIT),
    }
