"""One version, the form that registers one, and the mapping of its authors."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError
from registry import selectors
from registry.forms import AuthorForm, VersionForm
from registry.models import ModelVersion
from registry.ports import page_parts
from registry.services import versions
from registry.views.common import found_or_404, put_beside


class VersionDetailView(CallerMixin, TemplateView):
    """One release: what it is made of, by whom, from which data; its evidence beside it."""

    template_name = "registry/version_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        version = _version(self.caller, kwargs["name"], kwargs["number"])
        return version_context(self.caller, version)


class VersionCreateView(CallerMixin, TemplateView):
    """Register the next version by hand."""

    template_name = "registry/version_form.html"
    capability = Capability.MODEL_EDIT

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        model = self._model(kwargs["name"])
        newest = selectors.versions_for(model).first()
        initial = {}
        if newest is not None:
            # The signature and the threshold rarely change from one version to the next.
            initial = {
                "signature": newest.signature,
                "decision_threshold": newest.decision_threshold,
                "consumption": newest.consumption,
            }
        form = VersionForm(workspace=self.caller.workspace, model_name=model.name, initial=initial)
        return self.render_to_response({"form": form, "model": model, "newest": newest})

    def post(self, request: HttpRequest, name: str) -> HttpResponse:
        model = self._model(name)
        form = VersionForm(request.POST, workspace=self.caller.workspace, model_name=model.name)
        if not form.is_valid():
            return self.render_to_response({"form": form, "model": model}, status=422)
        try:
            version = versions.register(
                caller=self.caller,
                model=model,
                release=form.release(),
                **form.beside(),
            )
        except DomainError as error:
            problem = put_beside(form, error)
            return self.render_to_response(
                {"form": form, "model": model, "problem": problem}, status=409
            )
        messages.success(request, f"{version} is registered.")
        return redirect("registry:version-detail", name=model.name, number=version.number)

    def _model(self, name: str) -> Any:
        return found_or_404(lambda: selectors.get_model(self.caller.workspace, name))


@require_POST
@caller_required(Capability.WORKSPACE_ADMIN)
def map_author(request: Any, name: str, number: int) -> HttpResponse:
    """Say which person an author is whom nobody has mapped."""
    caller = request.caller
    version = _version(caller, name, number)
    form = AuthorForm(request.POST, workspace=caller.workspace)
    if not form.is_valid():
        return _page(request, version, status=422, problem="Choose the person that this author is.")
    try:
        versions.map_author(caller=caller, version=version, **form.cleaned_data)
    except DomainError as error:
        return _page(request, version, status=409, problem=error)
    messages.success(request, f"{form.cleaned_data['identity']} is {form.cleaned_data['user']}.")
    return redirect("registry:version-detail", name=name, number=number)


def version_context(caller: Caller, version: ModelVersion) -> dict[str, Any]:
    """What the version's page shows."""
    release = version.release
    live = [
        it
        for it in selectors.live_versions(caller.workspace, models=[version.model])
        if it.version.pk == version.pk
    ]
    authors = list(version.authors.select_related("user").order_by("role", "identity"))
    unmapped = [author for author in authors if author.user is None]
    may_map = bool(unmapped) and caller.may(Capability.WORKSPACE_ADMIN)
    return {
        "version": version,
        "model": version.model,
        "live": live,
        "aliases": list(
            version.aliases.filter(ended_at=None).order_by("name").values_list("name", flat=True)
        ),
        "artifacts": release.get("artifacts", []),
        "origin": [
            (label, release.get(key))
            for label, key in (
                ("Source", "source"),
                ("Training run", "run_id"),
                ("Commit", "git_commit"),
                ("Serving image", "image"),
                ("Feature code", "features"),
            )
            if release.get(key)
        ],
        "training": sorted((release.get("training") or {}).items()),
        "extra": sorted((release.get("extra") or {}).items()),
        "metrics": sorted(version.reported_metrics.items()),
        "authors": authors,
        "unmapped": unmapped,
        "author_forms": [
            (
                author,
                AuthorForm(
                    workspace=caller.workspace,
                    initial={"identity": author.identity},
                    prefix=None,
                    auto_id=f"author{author.pk}_%s",
                ),
            )
            for author in unmapped
        ]
        if may_map
        else [],
        "parts": page_parts(caller=caller, model=version.model, version=version),
        "may_ask": caller.may(Capability.REQUEST_OPEN),
        "may_serve": caller.may(Capability.ENDPOINT_EDIT),
    }


def _version(caller: Caller, name: str, number: int) -> ModelVersion:
    version: ModelVersion = found_or_404(
        lambda: selectors.get_version(caller.workspace, name, number)
    )
    return version


def _page(request: Any, version: ModelVersion, *, status: int, problem: Any) -> HttpResponse:
    context = {**version_context(request.caller, version), "problem": problem}
    return render(request, "registry/version_detail.html", context, status=status)
